import type { Verdict } from "../../core/monitor/verdict.ts";
import type { Decision } from "../../core/policy/decision.ts";
import type { Rollout } from "../../core/rollout/rollout.ts";
import { upgradeRollout } from "../../core/rollout/upgrade-rollout.ts";
import type { Queryable, Transaction } from "../database.ts";
import type { EndpointKey } from "./admission.ts";

/** Reading rollouts, their plans, events and snapshots. What changes a rollout is the engine's commit alone. */

export interface RolloutRow {
  state: Rollout;
  decision: Decision;
  createdAt: Date;
  endedAt: Date | null;
}

function upgraded(row: RolloutRow): RolloutRow {
  return { ...row, state: upgradeRollout(row.state) };
}

const ROLLOUT = `state, decision, created_at AS "createdAt", ended_at AS "endedAt"`;

export async function readRollout(db: Queryable, tenant: string, id: string): Promise<RolloutRow | undefined> {
  const { rows } = await db.query<RolloutRow>(`SELECT ${ROLLOUT} FROM rollouts WHERE tenant = $1 AND id = $2`, [
    tenant,
    id,
  ]);
  return rows.map(upgraded)[0];
}

export interface RolloutFilter {
  tenant: string;
  environment?: string;
  name?: string;
  phase?: string;
  /** True: those that have not ended. False: those that have. */
  open?: boolean;
  /** The last row of the page before. */
  after?: { createdAtMs: number; id: string };
  limit: number;
}

/** Newest first. */
export async function listRollouts(db: Queryable, filter: RolloutFilter): Promise<RolloutRow[]> {
  const { rows } = await db.query<RolloutRow>(
    `SELECT ${ROLLOUT} FROM rollouts
     WHERE tenant = $1
       AND ($2::text IS NULL OR environment = $2) AND ($3::text IS NULL OR name = $3)
       AND ($4::text IS NULL OR phase = $4) AND ($5::boolean IS NULL OR terminal <> $5)
       AND ($6::timestamptz IS NULL OR (created_at, id) < ($6, $7))
     ORDER BY created_at DESC, id DESC LIMIT $8`,
    [
      filter.tenant,
      filter.environment ?? null,
      filter.name ?? null,
      filter.phase ?? null,
      filter.open ?? null,
      filter.after === undefined ? null : new Date(filter.after.createdAtMs),
      filter.after?.id ?? null,
      filter.limit,
    ],
  );
  return rows.map(upgraded);
}

/** A live rollout of the endpoint about the same plan that is on its way; one that rolls back is on its way elsewhere. */
export async function openRolloutOfPlan(
  db: Queryable,
  at: EndpointKey,
  planDigest: string,
): Promise<RolloutRow | undefined> {
  const { rows } = await db.query<RolloutRow>(
    `SELECT ${ROLLOUT} FROM rollouts
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4
       AND plan_digest = $5 AND NOT terminal AND NOT dry_run AND phase <> 'RollingBack'
     ORDER BY created_at DESC LIMIT 1`,
    [at.tenant, at.environment, at.target, at.name, planDigest],
  );
  return rows.map(upgraded)[0];
}

export async function readPlanBytes(db: Queryable, tenant: string, digest: string): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ bytes: Buffer }>("SELECT bytes FROM plans WHERE tenant = $1 AND digest = $2", [
    tenant,
    digest,
  ]);
  return rows[0]?.bytes;
}

/** A rollout as it is stored, and the bytes of the plan that it names. */
export async function readRolloutAndPlan(
  db: Queryable,
  tenant: string,
  id: string,
): Promise<{ rollout: Rollout; bytes: Buffer | undefined } | undefined> {
  const { rows } = await db.query<{ state: Rollout; bytes: Buffer | null }>(
    `SELECT r.state, p.bytes FROM rollouts r
       LEFT JOIN plans p ON p.tenant = r.tenant AND p.digest = r.state ->> 'planDigest'
     WHERE r.tenant = $1 AND r.id = $2`,
    [tenant, id],
  );
  const row = rows[0];
  return row && { rollout: upgradeRollout(row.state), bytes: row.bytes ?? undefined };
}

export interface SnapshotRow {
  sha256: string;
  bytes: Buffer;
  empty: boolean;
  liveRollout: string | null;
  livePlanDigest: string | null;
}

export async function readSnapshot(db: Queryable, tenant: string, rollout: string): Promise<SnapshotRow | undefined> {
  const { rows } = await db.query<SnapshotRow>(
    `SELECT sha256, bytes, empty, live_rollout AS "liveRollout", live_plan_digest AS "livePlanDigest"
     FROM snapshots WHERE tenant = $1 AND rollout = $2`,
    [tenant, rollout],
  );
  return rows[0];
}

export interface EventRow {
  sequence: number;
  at: Date;
  type: string;
  phase: string;
  weightPercent: number;
  actor: string;
  payload: Record<string, unknown>;
  simulation: boolean;
}

export async function listEvents(
  db: Queryable,
  page: { tenant: string; rollout: string; after: number; limit: number },
): Promise<EventRow[]> {
  const { rows } = await db.query<EventRow>(
    `SELECT e.sequence, e.at, e.type, e.phase, e.weight_percent AS "weightPercent", e.actor, e.payload, r.simulation
     FROM rollout_events e JOIN rollouts r ON r.tenant = e.tenant AND r.id = e.rollout
     WHERE e.tenant = $1 AND e.rollout = $2 AND e.sequence > $3 ORDER BY e.sequence LIMIT $4`,
    [page.tenant, page.rollout, page.after, page.limit],
  );
  return rows;
}

/**
 * Locks live rollouts of the endpoint that have not ended, oldest first, until the transaction ends: those that wait in
 * its queue, or the others. The queue is locked under the endpoint's lock and the others before it, as by a commit
 * that ends one rollout and gives its slot to the next.
 */
export async function lockOpenRollouts(
  tx: Transaction,
  at: EndpointKey,
  which: "queued" | "not-queued",
): Promise<{ id: string; active: boolean }[]> {
  const { rows } = await tx.query<{ id: string; active: boolean }>(
    `SELECT id, active FROM rollouts
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND NOT terminal AND NOT dry_run
       AND (phase = 'Queued') = $5
     ORDER BY created_at, id FOR UPDATE`,
    [at.tenant, at.environment, at.target, at.name, which === "queued"],
  );
  return rows;
}

/** The verdict that was recorded last, with its figures. */
export async function readNewestVerdict(
  db: Queryable,
  tenant: string,
  rollout: string,
): Promise<{ verdict: Verdict; at: Date } | undefined> {
  const { rows } = await db.query<{ verdict: Verdict; at: Date }>(
    `SELECT payload->'verdict' AS verdict, at FROM rollout_events
     WHERE tenant = $1 AND rollout = $2 AND type = 'watched' ORDER BY sequence DESC LIMIT 1`,
    [tenant, rollout],
  );
  return rows[0];
}
