import type { OperationOutput } from "../contract/operations.ts";
import type { Decision } from "../core/policy/decision.ts";
import { lacksOf } from "../core/policy/obligations.ts";
import { allowedActions } from "../core/rollout/allowed-actions.ts";
import { deadlineAtMs } from "../core/rollout/clock.ts";
import { isTerminal } from "../core/rollout/phases.ts";
import { unmetNeeds } from "../core/rollout/quorum.ts";
import type { Rollout } from "../core/rollout/rollout.ts";

export type RolloutView = OperationOutput<"rollouts.list">["items"][number];
export type RolloutDetailView = OperationOutput<"rollouts.get">;

/** A rollout as the outside sees it. */
export function rolloutView(rollout: Rollout, endedAtMs: number | null): RolloutView {
  const { plan } = rollout;
  return {
    id: rollout.id,
    endpoint: rollout.endpoint,
    phase: rollout.phase,
    terminal: isTerminal(rollout.phase),
    weightPercent: rollout.weightPercent,
    planDigest: rollout.planDigest,
    policyDigest: rollout.policyDigest,
    proposer: rollout.proposer,
    model: { name: plan.spec.model.name, version: plan.spec.model.version },
    strategy: plan.spec.rollout.strategy,
    restores: rollout.restores?.rollout ?? null,
    simulation: rollout.simulation,
    dryRun: rollout.dryRun,
    reason: rollout.reason === null ? null : { code: rollout.reason.code, message: rollout.reason.message },
    refusals: rollout.refusals,
    approvals: rollout.approvals.map(({ approver, role, mfa, signed, atMs, comment, reason, wayBack }) => ({
      approver,
      role,
      mfa,
      signed,
      at: timeOf(atMs),
      ...(comment === undefined ? {} : { comment }),
      ...(reason === undefined ? {} : { reason }),
      ...(wayBack === undefined ? {} : { wayBack }),
    })),
    waitingFor: waitingFor(rollout),
    allowedActions: actionsOf(rollout),
    sequence: rollout.sequence,
    createdAt: timeOf(rollout.createdAtMs),
    endedAt: endedAtMs === null ? null : timeOf(endedAtMs),
    expiresAt: rollout.phase === "AwaitingApproval" ? optionalTime(rollout.expiresAtMs) : null,
    deadlineAt: isTerminal(rollout.phase) ? null : optionalTime(deadlineAtMs(rollout)),
  };
}

export function rolloutDetailView(rollout: Rollout, decision: Decision, endedAtMs: number | null): RolloutDetailView {
  return {
    ...rolloutView(rollout, endedAtMs),
    decision: decisionView(decision),
    plan: rollout.plan,
    snapshot: rollout.snapshot,
    // Later the gates have looked for themselves, and what they found stands in the refusals.
    lacks: rollout.phase === "AwaitingApproval" ? lacksOf(decision.obligations) : [],
  };
}

/** What is missing at a gate stands in the rollout's own refusals; the public decision has no place for it. */
export function decisionView({ refusals: _, live, ...decision }: Decision): RolloutDetailView["decision"] {
  if (live === undefined) return decision;
  const { refusals: __, ...shown } = live;
  return { ...decision, live: shown };
}

export function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}

export function optionalTime(atMs: number | null): string | null {
  return atMs === null ? null : timeOf(atMs);
}

/** A rollout that succeeded has one thing left that may be asked of it: to bring back what ran before. */
function actionsOf(rollout: Rollout): string[] {
  const canRestore = rollout.phase === "Succeeded" && rollout.snapshot !== null && !rollout.snapshot.empty;
  return canRestore ? ["rollback"] : allowedActions(rollout);
}

/** One sentence on why nothing moves; null while the program itself is at work, and at the end. */
function waitingFor(rollout: Rollout): string | null {
  if (rollout.phase === "AwaitingApproval") {
    const open = unmetNeeds(rollout.needs, rollout.approvals).map(
      ({ role, count, mfa, signed }) =>
        `${count} approval${count === 1 ? "" : "s"} by ${role === "approver" ? "an approver" : "a budget owner"}` +
        `${mfa ? " with MFA" : ""}${signed ? " and a signature" : ""}`,
    );
    return `It waits for ${open.join(" and ")}.`;
  }
  if (rollout.phase === "Queued") return "It waits until the rollout that holds its endpoint has ended.";
  if (rollout.phase === "Paused") return "It is paused until somebody resumes it.";
  if (rollout.phase !== "Baking" || rollout.bake === null) return null;
  const { percent } = rollout.bake;
  const said = rollout.lastVerdict === null ? "" : ` The last verdict: ${rollout.lastVerdict.message}`;
  return `It watches the new version at ${percent} % of the traffic.${said}`;
}
