import type { Verdict } from "../monitor/verdict.ts";
import { deny } from "./admission.ts";
import { isOverdue } from "./clock.ts";
import type { Command, Reason, Rollout, RolloutEvent } from "./rollout.ts";
import {
  bakeEndMs,
  end,
  enterBaking,
  enterGate,
  guardBake,
  holdBake,
  leaveBake,
  overrun,
  proceed,
  refuse,
  rollBack,
  type Step,
  watchBake,
} from "./transition.ts";
import { verdictMark } from "./verdict-mark.ts";

/** What the world answered to the outstanding command. */

const ANSWERS = {
  verified: "verify",
  "snapshot-taken": "snapshot",
  "gate-passed": "gate",
  "gate-refused": "gate",
  provisioned: "provision",
  shifted: "shift",
  watched: "watch",
  promoted: "promote",
  "rolled-back": "rollback",
} as const satisfies Partial<Record<RolloutEvent["type"], Command["type"]>>;

export type Answer = Extract<RolloutEvent, { type: keyof typeof ANSWERS | "command-failed" }>;

export function isAnswer(event: RolloutEvent): event is Answer {
  return event.type === "command-failed" || Object.hasOwn(ANSWERS, event.type);
}

export function onAnswer(rollout: Rollout, answer: Answer): Step {
  const command = rollout.pending?.command;
  const answered = answer.type === "command-failed" ? answer.command : ANSWERS[answer.type];
  if (command?.type !== answered) return refuse(`Nothing waits for an answer to ${answered}.`);
  if (answer.type === "shifted" && command.type === "shift" && answer.percent !== command.percent) {
    return refuse(`The outstanding shift is to ${command.percent} percent, not to ${answer.percent}.`);
  }
  if (answer.type === "command-failed") return onCommandFailed(rollout, answer.command, answer.message);
  return onAnswered({ ...rollout, pending: null }, answer, command);
}

function onAnswered(rollout: Rollout, answer: Exclude<Answer, { type: "command-failed" }>, command: Command): Step {
  switch (answer.type) {
    case "verified":
      return onVerified(rollout, answer.refusals);
    case "snapshot-taken": {
      const snapshot = { sha256: answer.sha256, empty: answer.empty };
      return inTime({ ...rollout, snapshot, hasStable: !answer.empty }, enterGate);
    }
    case "gate-passed":
      return inTime(rollout, (next) => proceed(next, "Provisioning"));
    case "gate-refused":
      return deny(rollout, answer.refusals);
    case "provisioned":
      return inTime(rollout, (next) => proceed(next, "Shifting"));
    case "shifted":
      return inTime({ ...rollout, weightPercent: answer.percent }, (next) => enterBaking(next, answer.percent));
    case "watched":
      return onWatched(rollout, answer.verdict, command.type === "watch" && command.mode === "guard");
    case "promoted":
      // A promotion that is done is not undone for being late: the new version serves, and a rollback is a risk too.
      return end(rollout, "Succeeded", null);
    case "rolled-back":
      return end({ ...rollout, weightPercent: 0 }, "RolledBack", rollout.reason);
  }
}

/** An answer that came after the deadline still tells what happened, but does not move the rollout forward. */
function inTime(rollout: Rollout, next: (rollout: Rollout) => Rollout): Rollout {
  return isOverdue(rollout) ? overrun(rollout) : next(rollout);
}

/** A dry run ends here, with everything that a live one would be refused for. */
function onVerified(rollout: Rollout, refusals: Rollout["refusals"]): Step {
  if (rollout.dryRun) return end({ ...rollout, refusals }, "DryRunCompleted", null);
  if (refusals.length > 0) return deny(rollout, refusals);
  return inTime(rollout, (next) => proceed(next, "Snapshotting"));
}

function onWatched(rollout: Rollout, verdict: Verdict, guard: boolean): Step {
  const { outcome } = verdict;
  const worst = verdict.metrics[0];
  const message = worst?.message ?? "No metric was given.";
  const watched: Rollout = { ...rollout, lastVerdict: { outcome, message, mark: verdictMark(verdict) } };
  if (outcome === "fail") return rollBack(watched, failure(verdict));
  if (guard) return guardBake(watched);
  return inTime(watched, (next) => {
    if (outcome !== "pass" && !isQuietRestore(next, verdict)) return holdBake(next);
    // A pass says how the candidate did so far; it is asked for again until the bake was served in full.
    const endMs = bakeEndMs(next);
    return next.seenAtMs < endMs ? watchBake(next, endMs) : leaveBake(next);
  });
}

/**
 * What is restored served before. Where nobody asks, nothing speaks against it, and after a hold the deadline would put
 * back the version that somebody fled from.
 */
function isQuietRestore({ restores }: Rollout, { outcome, metrics }: Verdict): boolean {
  if (restores === undefined || outcome !== "inconclusive") return false;
  return metrics.every((metric) => metric.outcome === "pass" || metric.metric === "traffic");
}

function failure({ metrics }: Verdict): Reason {
  const worst = metrics.find((metric) => metric.outcome === "fail") ?? metrics[0];
  const message = worst?.message ?? "The verdict is fail and names no metric.";
  return { code: worst?.metric === "health" ? "health" : "verdict", message };
}

function onCommandFailed(rollout: Rollout, command: Command["type"], message: string): Rollout {
  const reason: Reason = { code: "command-failed", message: `${command} failed: ${message}` };
  if (command === "rollback") return end(rollout, "Failed", withCause(reason, rollout.reason));
  return rollout.effectsStarted ? rollBack(rollout, reason) : end(rollout, "Failed", reason);
}

/** A failed rollback leaves the endpoint in doubt, so the end says both: what failed, and what it was to undo. */
function withCause(reason: Reason, cause: Reason | null): Reason {
  if (cause === null) return reason;
  return { ...reason, message: `${reason.message}; it was rolling back because: ${cause.message}`, cause };
}
