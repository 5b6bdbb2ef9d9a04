import { ContinuumError } from "../core/error.ts";

/**
 * `no-such-rollout`: the tenant has no rollout of that id.
 * `target-not-available`: this program has no driver for the plan's target.
 * `artifact-not-imported`: the plan's artifact is not in the store, and the target needs its bytes.
 * `snapshot-missing`: a rollback has nothing to go back to.
 * `capacity`: the target cannot take the plan now.
 */
export type EngineErrorCode =
  | "no-such-rollout"
  | "target-not-available"
  | "artifact-not-imported"
  | "snapshot-missing"
  | "capacity";

export class EngineError extends ContinuumError<EngineErrorCode> {}

/**
 * The job is not this worker's any more: it was taken for dead, or a signal gave the rollout another course. What it
 * has to tell is out of date; nothing of it is stored, and nobody is to be told.
 */
export class Fenced extends Error {
  override readonly name = "Fenced";
}
