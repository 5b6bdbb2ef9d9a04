import { assert } from "../core/error.ts";
import type { Decision } from "../core/policy/decision.ts";
import { holdsSlot, isTerminal } from "../core/rollout/phases.ts";
import type { Rollout, RolloutEvent } from "../core/rollout/rollout.ts";
import { upgradeRollout } from "../core/rollout/upgrade-rollout.ts";
import type { Queryable, Transaction } from "../store/database.ts";
import type { NewAuditRow } from "../store/queries/audit.ts";

/** The rows of rollouts and their events; written by the engine's commit alone. */

export interface RolloutKey {
  tenant: string;
  rolloutId: string;
}

/** Whoever changes a rollout holds its row: one at a time, in an order that the sequence tells. */
export async function lockRollout(tx: Transaction, { tenant, rolloutId }: RolloutKey): Promise<Rollout | undefined> {
  const { rows } = await tx.query<{ state: Rollout }>(
    "SELECT state FROM rollouts WHERE tenant = $1 AND id = $2 FOR UPDATE",
    [tenant, rolloutId],
  );
  return rows[0] && upgradeRollout(rows[0].state);
}

export async function loadRollout(db: Queryable, { tenant, rolloutId }: RolloutKey): Promise<Rollout | undefined> {
  const { rows } = await db.query<{ state: Rollout }>("SELECT state FROM rollouts WHERE tenant = $1 AND id = $2", [
    tenant,
    rolloutId,
  ]);
  return rows[0] && upgradeRollout(rows[0].state);
}

/**
 * A rollout with its first event, `proposed`: its plan, its row, the event, the audit entry and the job that follows, as
 * one statement. Its tenant and endpoint must be there.
 */
export async function insertProposed(
  tx: Transaction,
  proposed: {
    rollout: Rollout;
    event: RolloutEvent;
    decision: Decision;
    actor: string;
    planBytes: Uint8Array;
    audit: NewAuditRow;
    /** What admission reserves of the environment's sum. */
    reservedMicroUsdPerHour: number;
  },
): Promise<void> {
  const { rollout, event, audit } = proposed;
  const { environment, target, name } = rollout.endpoint;
  const { atMs: _, type, ...payload } = event;
  const { pending } = rollout;
  const { rowCount } = await tx.query(INSERT_PROPOSED, [
    ...[rollout.tenant, rollout.id, environment, target, name, rollout.planDigest, proposed.planBytes],
    ...[rollout.phase, holdsSlot(rollout), isTerminal(rollout.phase), rollout.dryRun, rollout.simulation],
    ...[proposed.reservedMicroUsdPerHour, rollout.sequence, JSON.stringify(rollout), JSON.stringify(proposed.decision)],
    ...[timeOf(rollout.wakeAtMs), timeOf(rollout.createdAtMs), timeOf(rollout.seenAtMs)],
    ...[type, rollout.weightPercent, proposed.actor, JSON.stringify(payload), type],
    ...[audit.subject, audit.entry, audit.leafHash, pending === null ? null : JSON.stringify(pending.command)],
  ]);
  assert(pending === null || rowCount === 1, "a command has its job, and an endpoint its row");
  tx.notify("rollout_events", `${rollout.tenant}/${rollout.id}/${rollout.sequence}`, { patient: true });
  if (pending !== null) tx.notify("jobs", "");
}

const INSERT_PROPOSED = `
WITH plan AS (
  INSERT INTO plans (tenant, digest, bytes, created_at) VALUES ($1, $6, $7, $18) ON CONFLICT DO NOTHING
), rollout AS (
  INSERT INTO rollouts (tenant, id, environment, target, name, plan_digest, phase, active, terminal, dry_run, simulation,
    reserved_micro_usd_per_hour, sequence, state, decision, wake_at, created_at, ended_at)
  VALUES ($1, $2, $3, $4, $5, $6, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
    CASE WHEN $10 THEN $19::timestamptz END)
), event AS (
  INSERT INTO rollout_events (tenant, rollout, sequence, at, type, phase, weight_percent, actor, payload, cause)
  VALUES ($1, $2, $14, $19, $20, $8, $21, $22, $23, $24)
), audit AS (
  INSERT INTO audit_entries (tenant, subject, entry, leaf_hash) VALUES ($1, $25, $26, $27)
)
INSERT INTO jobs (tenant, rollout, sequence, command, generation, host)
SELECT $1, $2, $14, $28::jsonb, nextval('effect_generation'), host FROM endpoints
WHERE $28::jsonb IS NOT NULL AND tenant = $1 AND environment = $3 AND target = $4 AND name = $5`;

/** True when the event that this cause brought about is in the history already. */
export async function isKnownCause(tx: Transaction, at: RolloutKey & { cause: string }): Promise<boolean> {
  const { rowCount } = await tx.query(
    "SELECT 1 FROM rollout_events WHERE tenant = $1 AND rollout = $2 AND cause = $3",
    [at.tenant, at.rolloutId, at.cause],
  );
  return rowCount > 0;
}

/** Stores the state and the event that led to it, and tells whoever listens. The row is locked by the caller. */
export async function saveRollout(
  tx: Transaction,
  change: { rollout: Rollout; event: RolloutEvent; actor: string; cause: string },
): Promise<void> {
  const { rollout, actor, cause } = change;
  const { atMs, type, ...payload } = change.event;
  const terminal = isTerminal(rollout.phase);
  tx.notify("rollout_events", `${rollout.tenant}/${rollout.id}/${rollout.sequence}`, { patient: true });
  await tx.query(
    `WITH saved AS (
       UPDATE rollouts SET phase = $3, active = $4, terminal = $5, dry_run = $6, sequence = $7, state = $8, wake_at = $9,
         ended_at = CASE WHEN $5 THEN $10::timestamptz END,
         reserved_micro_usd_per_hour = CASE WHEN $5 THEN 0 ELSE reserved_micro_usd_per_hour END
       WHERE tenant = $1 AND id = $2 RETURNING tenant, id, sequence, phase
     )
     INSERT INTO rollout_events (tenant, rollout, sequence, at, type, phase, weight_percent, actor, payload, cause)
     SELECT tenant, id, sequence, $10, $11, phase, $12, $13, $14, $15 FROM saved`,
    [
      ...[rollout.tenant, rollout.id, rollout.phase, holdsSlot(rollout), terminal, rollout.dryRun, rollout.sequence],
      ...[JSON.stringify(rollout), timeOf(rollout.wakeAtMs), timeOf(rollout.seenAtMs)],
      ...[type, rollout.weightPercent, actor, JSON.stringify(payload), cause],
    ],
  );
}

function timeOf(atMs: number | null): Date | null {
  return atMs === null ? null : new Date(atMs);
}
