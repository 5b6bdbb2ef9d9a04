import { canonicalText, entryTime } from "../core/audit/entry.ts";
import { digestOf, eventDigest, eventRecord } from "../core/audit/event-record.ts";
import type { Decision } from "../core/policy/decision.ts";
import { holdsSlot } from "../core/rollout/phases.ts";
import type { Rollout, RolloutEvent } from "../core/rollout/rollout.ts";
import type { AuditFact } from "./audit-log.ts";
import type { Actor } from "./engine.ts";

interface Step {
  before: Rollout;
  after: Rollout;
  event: RolloutEvent;
  actor: Actor;
  /** Where one was taken and is stored with the rollout. */
  decision?: Decision;
}

/**
 * What the audit log keeps of a step: ids, digests, codes and numbers, and never a comment or a message. The digests
 * bind the event and the decision as they are stored, so that neither can be changed or taken away unseen.
 */
export function auditFactOf(step: Step): AuditFact {
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
      ...(after.restores?.alarm === undefined ? {} : { alarm: after.restores.alarm }),
      ...(after.dryRun ? { dryRun: true } : {}),
      ...(after.simulation ? { simulation: true } : {}),
      ...detailsOf(event),
      ...(step.decision === undefined ? {} : { decisionDigest: digestOf(canonicalText(step.decision)) }),
      eventDigest: eventDigest(recordOf(step)),
    },
  };
}

function recordOf({ after, event, actor }: Step) {
  const { atMs: _, type, ...payload } = event;
  const { id: rollout, sequence, phase, weightPercent } = after;
  return eventRecord({
    ...{ rollout, sequence, type, phase, weightPercent, payload },
    ...{ at: entryTime(after.seenAtMs), actor: actor.id },
  });
}

function outcomeOf({ before, after, event }: Step): AuditFact["outcome"] {
  if (event.type === "command-failed") return "failed";
  if (after.phase === before.phase) return "accepted";
  if (after.phase === "Denied") return "denied";
  return after.phase === "Failed" ? "failed" : "accepted";
}

function detailsOf(event: RolloutEvent): AuditFact["details"] {
  switch (event.type) {
    case "proposed":
      return { decision: event.decision.decision };
    case "approved": {
      const { role, mfa, signed, keyId, bundleDigest } = event.approval;
      return {
        role,
        mfa,
        signed,
        ...(keyId === undefined ? {} : { keyId }),
        ...(bundleDigest ? { bundleDigest } : {}),
      };
    }
    case "superseded":
      return event.why === undefined ? {} : { cause: event.why };
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
