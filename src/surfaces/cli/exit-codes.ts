import type { TerminalPhase } from "../../core/rollout/rollout.ts";

/** The documented exit codes of every command. */
export const EXIT = {
  ok: 0,
  failed: 1,
  denied: 2,
  awaitingApproval: 3,
  rolledBack: 4,
  timedOut: 5,
  malformed: 64,
  unreachable: 69,
  forbidden: 77,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const OF_TERMINAL_PHASE: Readonly<Record<TerminalPhase, ExitCode>> = {
  Succeeded: EXIT.ok,
  DryRunCompleted: EXIT.ok,
  Failed: EXIT.failed,
  Aborted: EXIT.failed,
  Expired: EXIT.failed,
  Superseded: EXIT.failed,
  Denied: EXIT.denied,
  Rejected: EXIT.denied,
  RolledBack: EXIT.rolledBack,
};

/** How a rollout stands, as an exit code: one that is on its way counts as well. */
export function exitOfPhase(phase: string): ExitCode {
  if (phase === "AwaitingApproval") return EXIT.awaitingApproval;
  return isTerminalPhase(phase) ? OF_TERMINAL_PHASE[phase] : EXIT.ok;
}

export function isTerminalPhase(phase: string): phase is TerminalPhase {
  return Object.hasOwn(OF_TERMINAL_PHASE, phase);
}

const OF_DECISION = { allow: EXIT.ok, deny: EXIT.denied, "needs-approval": EXIT.awaitingApproval } as const;

export function exitOfDecision(decision: keyof typeof OF_DECISION): ExitCode {
  return OF_DECISION[decision];
}
