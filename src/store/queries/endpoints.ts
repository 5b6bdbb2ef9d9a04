import type { Queryable, Transaction } from "../database.ts";
import type { EndpointKey } from "./admission.ts";

/** What serves under each name, as the control plane wants it. */

export interface EndpointRow {
  environment: string;
  target: string;
  name: string;
  liveRollout: string | null;
  livePlanDigest: string | null;
  /** The live plan's stored bytes; null when nothing serves. */
  planBytes: Buffer | null;
  activeRollout: string | null;
  instanceCount: number | null;
  microUsdPerHour: number;
  generation: number;
  host: string | null;
  desired: Record<string, unknown> | null;
  updatedAt: Date;
}

const ENDPOINT = `SELECT e.environment, e.target, e.name, e.live_rollout AS "liveRollout",
    e.live_plan_digest AS "livePlanDigest", p.bytes AS "planBytes", r.id AS "activeRollout",
    e.instance_count AS "instanceCount", e.micro_usd_per_hour AS "microUsdPerHour", e.generation, e.host, e.desired,
    e.updated_at AS "updatedAt"
  FROM endpoints e
    LEFT JOIN plans p ON p.tenant = e.tenant AND p.digest = e.live_plan_digest
    LEFT JOIN rollouts r ON r.active
      AND (r.tenant, r.environment, r.target, r.name) = (e.tenant, e.environment, e.target, e.name)`;

/** A name that a refused plan left behind and that nothing ever served under is no endpoint. */
const EXISTS = "(e.live_rollout IS NOT NULL OR r.id IS NOT NULL)";

export async function readEndpoint(db: Queryable, at: EndpointKey): Promise<EndpointRow | undefined> {
  const { rows } = await db.query<EndpointRow>(
    `${ENDPOINT} WHERE e.tenant = $1 AND e.environment = $2 AND e.target = $3 AND e.name = $4 AND ${EXISTS}`,
    [at.tenant, at.environment, at.target, at.name],
  );
  return rows[0];
}

export async function listEndpoints(
  db: Queryable,
  page: {
    tenant: string;
    environment?: string;
    after?: { environment: string; target: string; name: string };
    limit: number;
  },
): Promise<EndpointRow[]> {
  const { rows } = await db.query<EndpointRow>(
    `${ENDPOINT} WHERE e.tenant = $1 AND ($2::text IS NULL OR e.environment = $2) AND ${EXISTS}
       AND ($3::text IS NULL OR (e.environment, e.target, e.name) > ($3, $4, $5))
     ORDER BY e.environment, e.target, e.name LIMIT $6`,
    [
      page.tenant,
      page.environment ?? null,
      page.after?.environment ?? null,
      page.after?.target ?? null,
      page.after?.name ?? null,
      page.limit,
    ],
  );
  return rows;
}

/** A rollout needs its endpoint's row to stand on. */
export async function ensureEndpoint(tx: Transaction, at: EndpointKey): Promise<void> {
  await tx.query(
    "INSERT INTO endpoints (tenant, environment, target, name) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    [at.tenant, at.environment, at.target, at.name],
  );
}

/**
 * Whoever changes what serves holds the endpoint's row, as the commit of a rollout that succeeds does. Taken before the
 * environment's lock, never after. Rollouts that only refer to the row do not wait for it.
 */
export async function lockEndpoint(tx: Transaction, at: EndpointKey): Promise<void> {
  await tx.query(
    "SELECT FROM endpoints WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 FOR NO KEY UPDATE",
    [at.tenant, at.environment, at.target, at.name],
  );
}

/** A number above every effect that was started before: an effect that carries it overrides them. */
export async function nextGeneration(tx: Transaction): Promise<number> {
  const { rows } = await tx.query<{ generation: number }>("SELECT nextval('effect_generation') AS generation");
  const generation = rows[0]?.generation;
  if (generation === undefined) throw new Error("broken invariant: a sequence always has a next value");
  return generation;
}

export async function writeScale(
  tx: Transaction,
  at: EndpointKey,
  scale: {
    instanceCount: number;
    microUsdPerHour: number;
    generation: number;
    desired: Record<string, unknown> | null;
    atMs: number;
  },
): Promise<void> {
  await tx.query(
    `UPDATE endpoints SET instance_count = $5, micro_usd_per_hour = $6, generation = $7, desired = $8, updated_at = $9
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4`,
    [
      at.tenant,
      at.environment,
      at.target,
      at.name,
      scale.instanceCount,
      scale.microUsdPerHour,
      scale.generation,
      scale.desired === null ? null : JSON.stringify(scale.desired),
      new Date(scale.atMs),
    ],
  );
}

/** Nothing should serve there any more. The row stays for the history that refers to it. */
export async function writeRemoval(
  tx: Transaction,
  at: EndpointKey,
  removal: { generation: number; atMs: number },
): Promise<void> {
  await tx.query(
    `UPDATE endpoints SET live_rollout = NULL, live_plan_digest = NULL, instance_count = NULL, micro_usd_per_hour = 0,
       desired = NULL, generation = $5, updated_at = $6
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4`,
    [at.tenant, at.environment, at.target, at.name, removal.generation, new Date(removal.atMs)],
  );
}

export async function resetBreaker(tx: Transaction, at: EndpointKey, atMs: number): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE endpoints SET breaker_reset_at = $5 WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4`,
    [at.tenant, at.environment, at.target, at.name, new Date(atMs)],
  );
  return rowCount > 0;
}

/** Whether anything was ever proposed for the endpoint. */
export async function endpointRowExists(db: Queryable, at: EndpointKey): Promise<boolean> {
  const { rowCount } = await db.query(
    "SELECT FROM endpoints WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4",
    [at.tenant, at.environment, at.target, at.name],
  );
  return rowCount > 0;
}
