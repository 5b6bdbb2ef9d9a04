import type { Queryable, Transaction } from "../database.ts";

/** How many rows of one tenant a statement removed. */
export interface Removed {
  tenant: string;
  count: number;
}

/** Removes at most so many rollouts' histories in a transaction, so that none is held for long. */
const ROLLOUTS_AT_ONCE = 200;
const ROWS_AT_ONCE = 5000;

/**
 * The whole histories of rollouts that ended before then; one whose version serves keeps its own. Empty when there is
 * nothing left. State, decision, plan, snapshot and audit entries stay.
 */
export async function removeEvents(
  tx: Transaction,
  beforeMs: number,
): Promise<{ rollouts: number; removed: Removed[] }> {
  const { rows } = await tx.query<{ rollouts: number; tenant: string | null; count: number }>(
    `WITH old AS (
       SELECT tenant, id FROM rollouts r
       WHERE terminal AND events_removed_at IS NULL AND ended_at < $1
         AND NOT EXISTS (SELECT FROM endpoints e WHERE e.tenant = r.tenant AND e.live_rollout = r.id)
       ORDER BY ended_at LIMIT ${ROLLOUTS_AT_ONCE} FOR UPDATE SKIP LOCKED
     ), marked AS (
       UPDATE rollouts r SET events_removed_at = now() FROM old WHERE (r.tenant, r.id) = (old.tenant, old.id)
     ), gone AS (
       DELETE FROM rollout_events e USING old WHERE (e.tenant, e.rollout) = (old.tenant, old.id) RETURNING e.tenant
     ), counts AS (SELECT tenant, count(*) AS count FROM gone GROUP BY tenant)
     SELECT (SELECT count(*) FROM old) AS rollouts, tenant, coalesce(count, 0) AS count
     FROM (SELECT) AS once LEFT JOIN counts ON true`,
    [new Date(beforeMs)],
  );
  const removed = rows.flatMap(({ tenant, count }) => (tenant === null ? [] : [{ tenant, count }]));
  return { rollouts: rows[0]?.rollouts ?? 0, removed };
}

export async function removeIdempotencyKeys(tx: Transaction, beforeMs: number): Promise<Removed[]> {
  return counted(
    tx,
    `DELETE FROM idempotency_keys WHERE (tenant, principal, key) IN (
       SELECT tenant, principal, key FROM idempotency_keys WHERE created_at < $1 LIMIT ${ROWS_AT_ONCE})`,
    beforeMs,
  );
}

/** Messages that were delivered or given up; their attempts go with them. */
export async function removeDeliveries(tx: Transaction, beforeMs: number): Promise<Removed[]> {
  return counted(
    tx,
    `DELETE FROM webhook_deliveries WHERE (tenant, id) IN (
       SELECT tenant, id FROM webhook_deliveries WHERE ended_at < $1 AND state <> 'pending' LIMIT ${ROWS_AT_ONCE})`,
    beforeMs,
  );
}

/** Jobs that no rollout waits for any more: what ends takes its own away, so there is one only after a mishap. */
export async function removeJobs(tx: Transaction, beforeMs: number): Promise<Removed[]> {
  return counted(
    tx,
    `DELETE FROM jobs WHERE id IN (
       SELECT j.id FROM jobs j JOIN rollouts r ON (r.tenant, r.id) = (j.tenant, j.rollout)
       WHERE r.terminal AND r.ended_at < $1 LIMIT ${ROWS_AT_ONCE})`,
    beforeMs,
  );
}

async function counted(tx: Transaction, deletion: string, beforeMs: number): Promise<Removed[]> {
  const { rows } = await tx.query<Removed>(
    `WITH gone AS (${deletion} RETURNING tenant) SELECT tenant, count(*) AS count FROM gone GROUP BY tenant`,
    [new Date(beforeMs)],
  );
  return rows;
}

/** Holds the scope until the transaction ends; false when another worker sweeps it now. */
export async function lockSweep(tx: Transaction, scope: string): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_xact_lock(hashtextextended('retention/' || $1, 0)) AS locked",
    [scope],
  );
  return rows[0]?.locked === true;
}

export async function lastSweepMs(db: Queryable, scope: string): Promise<number> {
  const { rows } = await db.query<{ at: Date }>("SELECT swept_at AS at FROM retention_sweeps WHERE scope = $1", [
    scope,
  ]);
  return rows[0]?.at.getTime() ?? 0;
}

export async function recordSweep(db: Queryable, scope: string, atMs: number): Promise<void> {
  await db.query(
    "INSERT INTO retention_sweeps (scope, swept_at) VALUES ($1, $2) ON CONFLICT (scope) DO UPDATE SET swept_at = $2",
    [scope, new Date(atMs)],
  );
}
