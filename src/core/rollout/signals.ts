import { whyNot } from "./allowed-actions.ts";
import { isExpired, isOverdue } from "./clock.ts";
import type { Rollout, RolloutEvent } from "./rollout.ts";
import {
  end,
  enter,
  giveUp,
  leaveBake,
  overrun,
  pauseBake,
  refuse,
  resumeBake,
  rollBack,
  type Step,
} from "./transition.ts";

/** What people, monitors, other rollouts and the clock may say at any time. */

type Of<Type extends RolloutEvent["type"]> = Extract<RolloutEvent, { type: Type }>;

/**
 * In a bake a pause holds at once. Anywhere else a command is out, or the rollout has not begun: the wish is remembered
 * and takes hold before the next phase.
 */
export function onPaused(rollout: Rollout): Step {
  const why = whyNot("pause", rollout);
  if (why !== null) return refuse(why);
  return rollout.phase === "Baking" ? pauseBake(rollout) : { ...rollout, pauseRequested: true };
}

export function onResumed(rollout: Rollout): Step {
  const why = whyNot("resume", rollout);
  if (why !== null) return refuse(why);
  if (rollout.resume === null) return { ...rollout, pauseRequested: false };
  const { phase } = rollout.resume;
  if (phase === "Baking") return resumeBake(rollout);
  if (phase === "Verifying" || phase === "Snapshotting" || phase === "Shifting") return enter(rollout, phase);
  throw new Error(`broken invariant: a pause in front of ${phase}`);
}

/** Cuts the bake short, and ends a pause of it: whoever wants the next step does not want to stand still. */
export function onPromoteRequested(rollout: Rollout): Step {
  const why = whyNot("promote", rollout);
  if (why !== null) return refuse(why);
  return isOverdue(rollout)
    ? refuse("The deadline has passed; the rollout is about to roll back.")
    : leaveBake(rollout);
}

export function onAbortRequested(rollout: Rollout, { by }: Of<"abort-requested">): Step {
  const why = whyNot("abort", rollout);
  return why === null ? giveUp(rollout, "Aborted", { code: "aborted", message: `Aborted by ${by}.` }) : refuse(why);
}

export function onRollbackRequested(rollout: Rollout, { by }: Of<"rollback-requested">): Step {
  const why = whyNot("rollback", rollout);
  return why === null ? rollBack(rollout, { code: "requested", message: `Rolled back by ${by}.` }) : refuse(why);
}

export function onSuperseded(rollout: Rollout, { by, why: cause }: Of<"superseded">): Step {
  // What has its approvals and goes on is judged at its gates; a change of what they were about stops no effect midway.
  const why = whyNot(cause === undefined ? "supersede" : "approve", rollout);
  if (why !== null) return refuse(why);
  const message = cause === undefined ? `Superseded by ${by}.` : CHANGED[cause];
  return giveUp(rollout, "Superseded", { code: "superseded", message });
}

const CHANGED: Record<NonNullable<Of<"superseded">["why"]>, string> = {
  plan: "What it was about changed, so that no approval of it counts: propose it again.",
  policy: "The policy in force changed since it was proposed: propose it again, to be decided and approved under it.",
  evidence: "Evidence that an approver saw was removed, replaced or revoked: propose it again.",
};

/**
 * Before the first effect an alarm is about the version that serves now, which this rollout may be meant to mend; so it
 * changes nothing here. From the first effect on it rolls back in every phase, a pause included.
 */
export function onAlarm(rollout: Rollout, { name, message }: Of<"alarm">): Step {
  if (rollout.phase === "RollingBack") return refuse("The rollout is rolling back already.");
  if (!(rollout.plan.spec.rollback.alarms ?? []).includes(name)) {
    return refuse(`The plan does not roll back on the alarm ${name}.`);
  }
  if (!rollout.effectsStarted) {
    return refuse("Nothing was changed yet: the alarm is about the version that serves, not about this one.");
  }
  return rollBack(rollout, { code: "alarm", message: `${name}: ${message}` });
}

export function onTick(rollout: Rollout): Step {
  if (isExpired(rollout)) {
    const message = "Nobody completed the approvals in time.";
    return end(rollout, "Expired", { code: "expired", message });
  }
  return isOverdue(rollout) ? overrun(rollout) : refuse("Nothing is due.");
}
