import type { Command, Rollout } from "../core/rollout/rollout.ts";
import { upgradeRollout } from "../core/rollout/upgrade-rollout.ts";
import type { Queryable, Transaction } from "../store/database.ts";

/** A command that waits to be performed, in the name of the worker that claimed it. */
export interface Job {
  id: number;
  tenant: string;
  rollout: string;
  /** Of the event that issued the command. */
  sequence: number;
  command: Command;
  /** Stamped on the effect: rises with every command, so that a target can tell a late one. */
  generation: number;
  /** Counts claims; together with the worker it fences the commit. */
  attempts: number;
  /** Counts answers that were errors. */
  failures: number;
}

/** What shows that a job is still its worker's: taken for dead and claimed again, it has another worker or number. */
export interface Claim {
  id: number;
  worker: string;
  attempts: number;
}

const COLUMNS = "id, tenant, rollout, sequence, command, generation, attempts, failures";

/** Ends a claimed job; false when it is not this worker's any more. */
export async function finishJob(tx: Transaction, claim: Claim): Promise<boolean> {
  const { rowCount } = await tx.query("DELETE FROM jobs WHERE id = $1 AND worker = $2 AND attempts = $3", [
    claim.id,
    claim.worker,
    claim.attempts,
  ]);
  return rowCount === 1;
}

/** Takes away every job of the rollout but the outstanding one; whoever performs one of them is fenced by this. */
export async function deleteObsoleteJobs(tx: Transaction, rollout: Rollout): Promise<void> {
  await tx.query("DELETE FROM jobs WHERE tenant = $1 AND rollout = $2 AND sequence <> $3", [
    rollout.tenant,
    rollout.id,
    rollout.pending?.sequence ?? -1,
  ]);
}

/**
 * Makes the job of a command. With a `worker` it is claimed at once when that worker may take it, in the transaction
 * that makes it, so that no poll lies between two steps; the job is answered then. Otherwise workers are told.
 */
export async function insertJob(
  tx: Transaction,
  from: { rollout: Rollout; command: Command; worker?: { id: string; host: string } | undefined },
): Promise<Job | undefined> {
  const { tenant, id, sequence, endpoint } = from.rollout;
  const { rows } = await tx.query<Job & { claimed: boolean }>(
    `WITH place AS (
       SELECT host, $8::uuid IS NOT NULL AND coalesce(host = $9, true) AS mine FROM endpoints
       WHERE tenant = $1 AND environment = $5 AND target = $6 AND name = $7
     ), job AS (
       INSERT INTO jobs (tenant, rollout, sequence, command, generation, host, attempts, worker, claimed_at)
       SELECT $1, $2, $3, $4, nextval('effect_generation'), host,
         CASE WHEN mine THEN 1 ELSE 0 END, CASE WHEN mine THEN $8::uuid END, CASE WHEN mine THEN clock_timestamp() END
       FROM place RETURNING ${COLUMNS}, worker IS NOT NULL AS claimed
     )
     SELECT * FROM job`,
    [
      ...[tenant, id, sequence, JSON.stringify(from.command), endpoint.environment, endpoint.target, endpoint.name],
      ...[from.worker?.id ?? null, from.worker?.host ?? null],
    ],
  );
  const row = rows[0];
  if (row === undefined) throw new Error(`broken invariant: the endpoint of rollout ${id} is not there`);
  if (row.claimed) return jobOf(row);
  tx.notify("jobs", "");
  return undefined;
}

/**
 * Takes free jobs, oldest first, without waiting for other workers. Watches cost nothing but a poll now and then, so
 * they have slots of their own: a worker full of bakes still provisions. Each comes with its rollout as it stands.
 */
export async function claimJobs(
  db: Queryable,
  by: { worker: string; host: string; effects: number; watches: number },
): Promise<{ job: Job; rollout: Rollout }[]> {
  const { rows } = await db.query<Job & { state: Rollout }>(
    `WITH effects AS (
       SELECT id FROM jobs WHERE worker IS NULL AND run_at <= now() AND coalesce(host = $2, true)
         AND command ->> 'type' <> 'watch'
       ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
     ), watches AS (
       SELECT id FROM jobs WHERE worker IS NULL AND run_at <= now() AND coalesce(host = $2, true)
         AND command ->> 'type' = 'watch'
       ORDER BY run_at, id LIMIT $4 FOR UPDATE SKIP LOCKED
     )
     UPDATE jobs SET worker = $1, claimed_at = now(), attempts = attempts + 1
     WHERE jobs.id IN (SELECT id FROM effects UNION ALL SELECT id FROM watches)
       AND EXISTS (SELECT 1 FROM workers WHERE workers.id = $1)
     RETURNING ${COLUMNS}, (SELECT state FROM rollouts WHERE rollouts.tenant = jobs.tenant AND rollouts.id = rollout)`,
    [by.worker, by.host, by.effects, by.watches],
  );
  return rows.sort((a, b) => a.id - b.id).map((row) => ({ job: jobOf(row), rollout: upgradeRollout(row.state) }));
}

/** Which of these jobs are still this worker's. */
export async function heldJobs(db: Queryable, worker: string, claims: readonly Claim[]): Promise<Set<number>> {
  const { rows } = await db.query<{ id: number }>(
    `SELECT jobs.id FROM jobs JOIN unnest($2::bigint[], $3::integer[]) AS claim (id, attempts) USING (id, attempts)
     WHERE worker = $1`,
    [worker, claims.map((claim) => claim.id), claims.map((claim) => claim.attempts)],
  );
  return new Set(rows.map((row) => row.id));
}

/** Gives a job back after an error, to be tried again after a while. False when it is not this worker's any more. */
export async function retryJob(
  db: Queryable,
  claim: Claim,
  how: { afterMs: number; error: string; renewGeneration: boolean },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE jobs SET worker = NULL, claimed_at = NULL, failures = failures + 1, last_error = $5,
       run_at = now() + $4 * interval '1 millisecond',
       generation = CASE WHEN $6 THEN nextval('effect_generation') ELSE generation END
     WHERE id = $1 AND worker = $2 AND attempts = $3`,
    [claim.id, claim.worker, claim.attempts, how.afterMs, how.error.slice(0, 500), how.renewGeneration],
  );
  return rowCount === 1;
}

/** Frees a worker's jobs that are none of `known`, unless they were claimed a moment ago: their claim may be on its way. */
export async function releaseJobs(db: Queryable, worker: string, known: readonly number[]): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE jobs SET worker = NULL, claimed_at = NULL
     WHERE worker = $1 AND id <> ALL ($2::bigint[]) AND claimed_at < now() - interval '2 seconds'`,
    [worker, known],
  );
  return rowCount;
}

/** What a worker that stops does with what it did not finish: others take it at once. */
export async function handBackJobs(db: Queryable, worker: string): Promise<number> {
  const { rowCount } = await db.query(
    "UPDATE jobs SET worker = NULL, claimed_at = NULL, run_at = now() WHERE worker = $1",
    [worker],
  );
  if (rowCount > 0) await db.query("SELECT pg_notify('jobs', '')");
  return rowCount;
}

/** The row carries more columns than a job has. */
function jobOf({ id, tenant, rollout, sequence, command, generation, attempts, failures }: Job): Job {
  return { id, tenant, rollout, sequence, command, generation, attempts, failures };
}
