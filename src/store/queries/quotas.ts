import type { Queryable } from "../database.ts";

/** What a tenant holds now of what there is a quota for. Counting ends at `most`: how far beyond does not matter. */
const COUNTED = {
  openRollouts: "SELECT FROM rollouts WHERE tenant = $1 AND NOT terminal",
  tokens: "SELECT FROM tokens WHERE tenant = $1 AND revoked_at IS NULL AND expires_at > $3",
  webhooks: "SELECT FROM webhook_endpoints WHERE tenant = $1",
} as const;

export async function countHeld(
  db: Queryable,
  what: keyof typeof COUNTED,
  { tenant, most, nowMs }: { tenant: string; most: number; nowMs: number },
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*) AS count FROM (${COUNTED[what]} LIMIT $2) AS held WHERE $3::timestamptz IS NOT NULL`,
    [tenant, most, new Date(nowMs)],
  );
  return rows[0]?.count ?? 0;
}
