import type { Queryable, Transaction } from "../database.ts";

/** What decides whether a plan fits beside everything else of its tenant. */

export interface EndpointKey {
  tenant: string;
  environment: string;
  target: string;
  name: string;
}

/** Admissions of one environment happen one after the other: the lock is held until the transaction ends. */
export async function lockEnvironment(tx: Transaction, tenant: string, environment: string): Promise<void> {
  const values = [tenant, environment];
  // Sent together and run in this order.
  await Promise.all([
    tx.query("INSERT INTO environments (tenant, environment) VALUES ($1, $2) ON CONFLICT DO NOTHING", values),
    tx.query("SELECT FROM environments WHERE tenant = $1 AND environment = $2 FOR UPDATE", values),
  ]);
}

export async function reserve(
  tx: Transaction,
  rollout: { tenant: string; id: string; microUsdPerHour: number },
): Promise<void> {
  await tx.query("UPDATE rollouts SET reserved_micro_usd_per_hour = $3 WHERE tenant = $1 AND id = $2", [
    rollout.tenant,
    rollout.id,
    rollout.microUsdPerHour,
  ]);
}

/** The rollout that holds the endpoint, if one does. */
export async function activeRollout(db: Queryable, at: EndpointKey): Promise<string | undefined> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM rollouts WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND active`,
    [at.tenant, at.environment, at.target, at.name],
  );
  return rows[0]?.id;
}
