import { holdsSlot } from "../core/rollout/phases.ts";
import type { Rollout, RolloutEvent } from "../core/rollout/rollout.ts";
import type { AuditFact } from "./audit-log.ts";
import type { Actor } from "./engine.ts";

/** What the audit log keeps of a step: ids, digests, codes and numbers, and never a comment or a message. */
export function auditFactOf(step: { before: Rollout; after: Rollout; event: RolloutEvent; actor: Actor }): AuditFact {
  const { before, after, event, actor } = step;
  return {
    tenant: after.tenant,
    atMs: after.seenAtMs,
    actor,
    action: `rollout.${event.type}`,
    subject: `rollout:${after.id}`,
    outcome: outcomeOf(step),
    details: {
      planDigest: after.planDigest,
      policyDigest: after.policyDigest,
      endpoint: `${after.endpoint.environment}/${after.endpoint.target}/${after.endpoint.name}`,
      sequence: after.sequence,
      phase: after.phase,
      ...(before.phase === after.phase ? {} : { fromPhase: before.phase }),
      ...(after.pending === null ? {} : { command: after.pending.command.type }),
      ...(after.weightPercent > 0 || holdsSlot(after) ? { percent: after.weightPercent } : {}),
      ...(after.reason === null ? {} : { reason: after.reason.code }),
      ...(after.refusals.length === 0 ? {} : { clauses: after.refusals.slice(0, 64).map(({ clause }) => clause) }),
      ...(after.dryRun ? { dryRun: true } : {}),
      ...(after.simulation ? { simulation: true } : {}),
      ...detailsOf(event),
    },
  };
}

function outcomeOf({
  before,
  after,
  event,
}: {
  before: Rollout;
  after: Rollout;
  event: RolloutEvent;
}): AuditFact["outcome"] {
  if (event.type === "command-failed") return "failed";
  if (after.phase === before.phase) return "accepted";
  if (after.phase === "Denied") return "denied";
  return after.phase === "Failed" ? "failed" : "accepted";
}

function detailsOf(event: RolloutEvent): AuditFact["details"] {
  switch (event.type) {
    case "proposed":
      return { decision: event.decision.decision };
    case "approved":
      return { role: event.approval.role, mfa: event.approval.mfa, signed: event.approval.signed };
    case "alarm":
      return { alarm: event.name };
    case "snapshot-taken":
      return { snapshotDigest: event.sha256, empty: event.empty };
    case "watched":
      return { verdict: event.verdict.outcome };
    case "command-failed":
      return { command: event.command };
    default:
      return {};
  }
}
