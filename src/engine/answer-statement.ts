import { holdsSlot, isTerminal } from "../core/rollout/phases.ts";
import type { Rollout, RolloutEvent } from "../core/rollout/rollout.ts";
import type { Statement } from "../store/database.ts";
import type { NewAuditRow } from "../store/queries/audit.ts";
import type { Desired } from "./endpoint-rows.ts";
import type { Claim } from "./jobs.ts";
import { versionOf } from "./version.ts";

/** One step of a rollout, ready to be stored: `after` is what `advance` made of `before` and the answer of `job`. */
export interface AnswerStep {
  before: Rollout;
  after: Rollout;
  event: RolloutEvent;
  actor: string;
  cause: string;
  job: Claim;
  audit: NewAuditRow;
  /** What a `snapshot-taken` event is about. */
  snapshotBytes: Uint8Array | undefined;
  /** Who takes the job that follows, when its host may; null leaves it to whoever comes. */
  claimFor: { id: string; host: string } | null;
}

/** What the statement answers; no row says that nothing was changed. */
export interface AnswerRow {
  /** The job that follows; null when none does. */
  id: number | null;
  generation: number | null;
  claimed: boolean | null;
}

/**
 * A whole commit as one statement: the job ends, the rollout's state, its event, the audit entry, what the event says of
 * the endpoint, and the job that follows. It changes nothing, and answers no row, unless the rollout stands where
 * `before` says and the job is still its worker's. It waits for nobody: of a row that somebody else holds it keeps its
 * hands off, and the caller goes the long way.
 */
export function answerStatement(step: AnswerStep): Statement {
  if (step.after.phase === "Succeeded") return { sql: ENDING, values: [...valuesOf(step), ...liveValues(step)] };
  if (keepsSnapshot(step)) return { sql: SNAPSHOT, values: [...valuesOf(step), ...snapshotValues(step)] };
  return { sql: PLAIN, values: valuesOf(step) };
}

/** Every other end gives its slot to the next in the queue, under locks that this statement does not wait for. */
export function fitsStatement({ before, after, event, snapshotBytes }: AnswerStep): boolean {
  if (keepsSnapshot({ after, event }) && snapshotBytes === undefined) return false;
  return after.phase === "Succeeded" || holdsSlot(after) || !holdsSlot(before);
}

/** A pause gives up what was just taken. */
function keepsSnapshot({ after, event }: Pick<AnswerStep, "after" | "event">): boolean {
  return event.type === "snapshot-taken" && after.snapshot !== null;
}

function valuesOf({ before, after, event, actor, cause, job, audit, claimFor }: AnswerStep): unknown[] {
  const { environment, target, name } = after.endpoint;
  const { atMs: _, type, ...payload } = event;
  const { pending } = after;
  return [
    ...[after.tenant, after.id, before.sequence, job.id, job.worker, job.attempts, environment, target, name],
    ...[after.phase, holdsSlot(after), isTerminal(after.phase), after.dryRun, after.sequence, JSON.stringify(after)],
    ...[timeOf(after.wakeAtMs), timeOf(after.seenAtMs), type, after.weightPercent, actor, JSON.stringify(payload)],
    ...[cause, audit.subject, audit.entry, audit.leafHash],
    ...[pending === null ? null : JSON.stringify(pending.command), claimFor?.id ?? null, claimFor?.host ?? null],
  ];
}

function liveValues({ after }: AnswerStep): unknown[] {
  const desired: Desired = { version: versionOf(after) };
  return [after.planDigest, after.plan.spec.compute.instanceCount, JSON.stringify(desired)];
}

function snapshotValues({ after, snapshotBytes }: AnswerStep): unknown[] {
  return [after.snapshot?.sha256, snapshotBytes, after.snapshot?.empty];
}

const ENDPOINT = "tenant = $1 AND environment = $7 AND target = $8 AND name = $9";

/**
 * `condition` must hold for anything to happen, `more` are further statements over `saved`. INVARIANT: whatever is
 * written hangs on `saved`, so that a rollout that was not changed leaves everything else as it is.
 */
function statementOf({ before = "", condition = "true", more = "" }): string {
  return `WITH ${before} held AS MATERIALIZED (
    SELECT reserved_micro_usd_per_hour AS reserved FROM rollouts
    WHERE tenant = $1 AND id = $2 AND sequence = $3 AND ${condition}
      AND EXISTS (SELECT FROM jobs WHERE jobs.id = $4 AND worker = $5 AND attempts = $6)
    FOR NO KEY UPDATE SKIP LOCKED
  ), ended AS (
    DELETE FROM jobs WHERE id = $4 AND worker = $5 AND attempts = $6 AND EXISTS (SELECT FROM held) RETURNING id
  ), saved AS (
    UPDATE rollouts SET phase = $10, active = $11, terminal = $12, dry_run = $13, sequence = $14, state = $15,
      wake_at = $16, ended_at = CASE WHEN $12 THEN $17::timestamptz END,
      reserved_micro_usd_per_hour = CASE WHEN $12 THEN 0 ELSE reserved_micro_usd_per_hour END
    WHERE tenant = $1 AND id = $2 AND EXISTS (SELECT FROM ended) RETURNING 1
  ), event AS (
    INSERT INTO rollout_events (tenant, rollout, sequence, at, type, phase, weight_percent, actor, payload, cause)
    SELECT $1, $2, $14, $17, $18, $10, $19, $20, $21, $22 FROM saved
  ), audit AS (
    INSERT INTO audit_entries (tenant, subject, entry, leaf_hash) SELECT $1, $23, $24, $25 FROM saved
  ), job AS (
    INSERT INTO jobs (tenant, rollout, sequence, command, generation, host, attempts, worker, claimed_at)
    SELECT $1, $2, $14, $26::jsonb, nextval('effect_generation'), host,
      CASE WHEN mine THEN 1 ELSE 0 END, CASE WHEN mine THEN $27::uuid END, CASE WHEN mine THEN clock_timestamp() END
    FROM saved, (SELECT host, $27::uuid IS NOT NULL AND coalesce(host = $28, true) AS mine FROM endpoints WHERE ${ENDPOINT}) AS place
    WHERE $26::jsonb IS NOT NULL RETURNING id, generation, worker IS NOT NULL AS claimed
  )${more}
  SELECT job.id, job.generation, job.claimed FROM saved LEFT JOIN job ON true`;
}

const PLAIN = statementOf({});

/** A local endpoint that has no host yet gets one at its first snapshot, before the job that follows names it. */
const SNAPSHOT = statementOf({
  condition: `EXISTS (SELECT FROM endpoints WHERE ${ENDPOINT} AND (target <> 'local' OR host IS NOT NULL))`,
  more: `, snapshot AS (
    INSERT INTO snapshots (tenant, rollout, sha256, bytes, empty, live_rollout, live_plan_digest)
    SELECT $1, $2, $29, $30, $31, live_rollout, live_plan_digest FROM saved, endpoints WHERE ${ENDPOINT}
    ON CONFLICT (tenant, rollout) DO UPDATE SET sha256 = excluded.sha256, bytes = excluded.bytes, empty = excluded.empty,
      live_rollout = excluded.live_rollout, live_plan_digest = excluded.live_plan_digest, taken_at = now()
  )`,
});

/**
 * Whoever queues a rollout holds the endpoint's row; what it queued before this began is seen here, and what it queues
 * meanwhile is looked for afterwards.
 */
const ENDING = statementOf({
  before: `place AS MATERIALIZED (
    SELECT FROM endpoints WHERE ${ENDPOINT} FOR NO KEY UPDATE SKIP LOCKED
  ),`,
  condition: `EXISTS (SELECT FROM place) AND NOT EXISTS (
    SELECT FROM rollouts AS queued WHERE ${ENDPOINT} AND NOT terminal AND phase = 'Queued')`,
  more: `, live AS (
    UPDATE endpoints SET live_rollout = $2, live_plan_digest = $29, instance_count = $30, desired = $31, updated_at = $17,
      generation = greatest(generation, (SELECT last_value FROM effect_generation)),
      micro_usd_per_hour = held.reserved
    FROM saved, held WHERE ${ENDPOINT}
  )`,
});

function timeOf(atMs: number | null): Date | null {
  return atMs === null ? null : new Date(atMs);
}
