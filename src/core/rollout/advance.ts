import { assert } from "../error.ts";
import { onApproved, onDequeued, onProposed, onRejected } from "./admission.ts";
import { isAnswer, onAnswer } from "./answers.ts";
import { nextWakeAtMs } from "./clock.ts";
import { brokenInvariants } from "./invariants.ts";
import { isTerminal } from "./phases.ts";
import type { Command, Phase, Rollout, RolloutEvent } from "./rollout.ts";
import {
  onAbortRequested,
  onAlarm,
  onPaused,
  onPromoteRequested,
  onResumed,
  onRollbackRequested,
  onSuperseded,
  onTick,
} from "./signals.ts";
import { refuse, type Step } from "./transition.ts";

export interface Advance {
  /** The same object that came in when the event was refused. */
  rollout: Rollout;
  /** What must be done now: the new pending command, or nothing. */
  commands: Command[];
  accepted: boolean;
  /** One sentence for a person; set exactly when the event was not accepted. */
  refusal?: string;
  /** The phases the event led through, in order, the last one being where the rollout is now; often empty. */
  entered: Phase[];
}

/**
 * The only code that changes a rollout. Pure and total: any event in any phase has an answer. A signal that makes no
 * sense now, or an answer to a command that is not outstanding, is refused as a value and changes nothing.
 *
 * At most one command is outstanding. A signal that changes course replaces it: the engine then deletes the old job and
 * fences its late answer, and the target fences its late effect by generation.
 *
 * Time never runs backwards: an event older than the newest one seen counts as having happened together with it.
 */
export function advance(rollout: Rollout, event: RolloutEvent): Advance {
  const seenAtMs = Number.isFinite(event.atMs) ? Math.max(event.atMs, rollout.seenAtMs) : rollout.seenAtMs;
  const step = isTerminal(rollout.phase)
    ? refuse(`The rollout has ended: ${rollout.phase}.`)
    : apply({ ...rollout, sequence: rollout.sequence + 1, seenAtMs }, event);
  if ("refused" in step) return { rollout, commands: [], accepted: false, refusal: step.refused, entered: [] };
  const next = { ...step, wakeAtMs: nextWakeAtMs(step) };
  const broken = brokenInvariants(next);
  assert(broken.length === 0, `${event.type} in ${rollout.phase}: ${broken.join("; ")}`);
  const commands = next.pending?.sequence === next.sequence ? [next.pending.command] : [];
  return { rollout: next, commands, accepted: true, entered: entered(rollout, next) };
}

function apply(rollout: Rollout, event: RolloutEvent): Step {
  if (isAnswer(event)) return onAnswer(rollout, event);
  switch (event.type) {
    case "proposed":
      return onProposed(rollout, event);
    case "approved":
      return onApproved(rollout, event);
    case "rejected":
      return onRejected(rollout, event);
    case "dequeued":
      return onDequeued(rollout, event);
    case "paused":
      return onPaused(rollout);
    case "resumed":
      return onResumed(rollout);
    case "promote-requested":
      return onPromoteRequested(rollout);
    case "abort-requested":
      return onAbortRequested(rollout, event);
    case "rollback-requested":
      return onRollbackRequested(rollout, event);
    case "superseded":
      return onSuperseded(rollout, event);
    case "alarm":
      return onAlarm(rollout, event);
    case "tick":
      return onTick(rollout);
    default:
      return unknown(event);
  }
}

/** A newer version of the program may have written an event that this one does not know. */
function unknown(event: never): Step {
  return refuse(`This version does not know the event ${String((event as { type?: unknown }).type)}.`);
}

/** Admitted is passed through on the way to the slot, and belongs to the history all the same. */
function entered(before: Rollout, after: Rollout): Phase[] {
  if (before.phase === after.phase) return [];
  const decided = before.phase === "Proposed" || before.phase === "AwaitingApproval";
  const admitted = after.phase === "Queued" || after.phase === "Verifying" || after.phase === "Paused";
  return decided && admitted && !after.dryRun ? ["Admitted", after.phase] : [after.phase];
}
