import { isTerminal } from "./phases.ts";
import type { Phase, Rollout } from "./rollout.ts";

export const ACTIONS = ["approve", "reject", "pause", "resume", "promote", "abort", "rollback", "supersede"] as const;
/** What a person or another rollout may ask of a rollout. */
export type Action = (typeof ACTIONS)[number];

/** What may be asked of the rollout as it is now; every other action is refused with a sentence. */
export function allowedActions(rollout: Rollout): Action[] {
  return ACTIONS.filter((action) => whyNot(action, rollout) === null);
}

/** One sentence that says why the action makes no sense now; null when it does. */
export function whyNot(action: Action, rollout: Rollout): string | null {
  if (isTerminal(rollout.phase)) return `The rollout has ended: ${rollout.phase}.`;
  return REFUSALS[action](rollout);
}

const WAITING: readonly Phase[] = ["Proposed", "AwaitingApproval"];
/** Promoting is past the point where holding helps: the new version already carries all traffic. */
const PAUSABLE: readonly Phase[] = [
  "Proposed",
  "AwaitingApproval",
  "Admitted",
  "Queued",
  "Verifying",
  "Snapshotting",
  "Provisioning",
  "Shifting",
  "Baking",
];

const REFUSALS: Record<Action, (rollout: Rollout) => string | null> = {
  approve: ({ phase, dryRun }) => {
    if (dryRun) return "A dry run needs no approval.";
    return WAITING.includes(phase) ? null : `Nothing waits for an approval in ${phase}.`;
  },
  reject: ({ phase }) =>
    WAITING.includes(phase) ? null : `Nothing waits for an approval in ${phase}; abort the rollout instead.`,
  pause: ({ phase, dryRun, pauseRequested }) => {
    if (dryRun) return "A dry run changes nothing and cannot be paused.";
    if (phase === "Paused") return "The rollout is paused already.";
    if (pauseRequested) return "A pause was requested already.";
    return PAUSABLE.includes(phase) ? null : `A rollout in ${phase} cannot be paused.`;
  },
  resume: ({ phase, pauseRequested }) =>
    phase === "Paused" || pauseRequested ? null : `The rollout is not paused: it is in ${phase}.`,
  promote: ({ phase, resume }) => {
    if (phase === "Baking" || resume?.phase === "Baking") return null;
    return `Only a bake can be cut short, and the rollout is in ${phase}.`;
  },
  abort: ({ phase }) => (phase === "RollingBack" ? "The rollout is rolling back already." : null),
  rollback: ({ phase, effectsStarted }) => {
    if (phase === "RollingBack") return "The rollout is rolling back already.";
    return effectsStarted
      ? null
      : "Nothing was changed yet, so there is nothing to roll back; abort the rollout instead.";
  },
  supersede: ({ phase }) => (phase === "RollingBack" ? "The rollout is rolling back already." : null),
};
