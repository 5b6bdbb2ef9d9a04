import { type DriftJob, type DriftStops, judgeDrift } from "./judge-drift.ts";
import { judgeRollouts, type RolloutJob, type Stops } from "./judge-rollouts.ts";

/** A piece of work that any thread can do, in any order: its seed and its numbers say everything. */
export type Job = RolloutJob | DriftJob;

export type JobResult = { job: RolloutJob; stops: Stops } | { job: DriftJob; stops: DriftStops };

export function runJob(job: Job): JobResult {
  return job.part === "drift" ? { job, stops: judgeDrift(job) } : { job, stops: judgeRollouts(job) };
}
