import { ContinuumError } from "../core/error.ts";
import type { Command } from "../core/rollout/rollout.ts";
import { StoreError } from "../store/store-error.ts";
import type { Job } from "./jobs.ts";

/**
 * What to do with an error of a command. `again`: after a while. `renew`: the target has seen a newer generation, so
 * either nobody wants this any more or the job needs one that is newer still. `fail`: the rollout is told.
 */
export type Answer = { do: "again"; afterMs: number } | { do: "renew" } | { do: "fail"; message: string };

const FIRST_MS = 250;
const LONGEST_MS = 15_000;
/** About eight seconds: enough for a serving process that restarts, and short beside any deadline. */
const FAILURES_MAX = 6;
/** A rollback is the last resort, so it is tried for about two minutes before the rollout ends in Failed. */
const ROLLBACK_FAILURES_MAX = 14;
/** A command whose every attempt ends its worker would go round for ever. */
const CLAIMS_MAX = 50;

export function answerTo(error: unknown, job: Job): Answer {
  const message = error instanceof Error ? error.message : String(error);
  // The database that would have to keep the failure is the one that failed: nothing of it is the rollout's.
  if (error instanceof StoreError && error.retryable) return { do: "again", afterMs: FIRST_MS };
  if (error instanceof ContinuumError && error.code === "stale-generation") {
    return job.failures < failuresMax(job.command) ? { do: "renew" } : { do: "fail", message };
  }
  // What is no failure of ours or of a driver's is a bug, and may still be gone the next time.
  const retryable = !(error instanceof ContinuumError) || error.retryable;
  if (!retryable || job.failures + 1 >= failuresMax(job.command)) return { do: "fail", message };
  return { do: "again", afterMs: waitMs(job) };
}

/** Grows with every failure of the job. */
export function waitMs(job: Job): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** job.failures);
}

/** True for a job that was claimed so often that performing it must be what ends its workers. */
export function isPoison(job: Job): boolean {
  return job.attempts > CLAIMS_MAX + job.failures;
}

function failuresMax(command: Command): number {
  return command.type === "rollback" ? ROLLBACK_FAILURES_MAX : FAILURES_MAX;
}
