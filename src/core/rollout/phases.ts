import { type Phase, type Rollout, TERMINAL_PHASES, type TerminalPhase } from "./rollout.ts";

/** True when nothing can happen to the rollout any more. */
export function isTerminal(phase: Phase): phase is TerminalPhase {
  return (TERMINAL_PHASES as readonly Phase[]).includes(phase);
}

/**
 * True while the rollout is the active one of its endpoint: no other may be. A rollout that waits (for its proposal to
 * be decided, for approvals, for the slot itself) or has ended does not hold it, and a dry run never does.
 */
export function holdsSlot(rollout: Pick<Rollout, "phase" | "dryRun">): boolean {
  if (rollout.dryRun) return false;
  const { phase } = rollout;
  return phase !== "Proposed" && phase !== "AwaitingApproval" && phase !== "Queued" && !isTerminal(phase);
}
