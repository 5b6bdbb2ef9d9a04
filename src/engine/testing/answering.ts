import { sha256Digest } from "../../core/plan/canonical.ts";
import type { Command, Rollout } from "../../core/rollout/rollout.ts";
import type { Answer } from "../answer-commits.ts";
import type { EventBody } from "../commit.ts";
import { SYSTEM } from "../engine.ts";
import type { Job } from "../jobs.ts";
import { TENANT } from "./engine-fixture.ts";

/** What a worker answers when all goes well, for tests that answer by hand. */

export const SNAPSHOT_BYTES = Buffer.from("{}");

export function answerOf(worker: string, job: Job, event: EventBody = goodAnswer(job.command)): Answer {
  return {
    ...{ tenant: TENANT, rolloutId: job.rollout, actor: SYSTEM, cause: `answer/${job.sequence}/${job.command.type}` },
    ...{ event, job: { ...job, worker } },
    snapshotBytes: event.type === "snapshot-taken" ? SNAPSHOT_BYTES : undefined,
    claimFor: { id: worker, host: "here", wants: () => true },
  };
}

/** Commits good answers until the outstanding job is of this kind; answers that job and its rollout. */
export async function driveTo(
  type: Command["type"],
  from: { worker: string; job: Job; rollout: Rollout },
  commit: (answer: Answer, before: Rollout) => Promise<{ rollout: Rollout; next: Job | undefined }>,
): Promise<{ job: Job; rollout: Rollout }> {
  let { job, rollout } = from;
  while (job.command.type !== type) {
    const { rollout: after, next } = await commit(answerOf(from.worker, job), rollout);
    if (next === undefined) throw new Error(`nothing follows ${job.command.type}: ${after.phase}`);
    job = next;
    rollout = after;
  }
  return { job, rollout };
}

function goodAnswer(command: Command): EventBody {
  switch (command.type) {
    case "verify":
      return { type: "verified", refusals: [] };
    case "snapshot":
      return { type: "snapshot-taken", sha256: sha256Digest(SNAPSHOT_BYTES), empty: true };
    case "gate":
      return { type: "gate-passed" };
    case "provision":
      return { type: "provisioned" };
    case "shift":
      return { type: "shifted", percent: command.percent };
    case "watch":
      return { type: "watched", verdict: { outcome: "pass", metrics: [] } };
    case "promote":
      return { type: "promoted" };
    case "rollback":
      return { type: "rolled-back" };
  }
}
