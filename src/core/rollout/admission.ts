import { whyNot } from "./allowed-actions.ts";
import { isExpired } from "./clock.ts";
import { breaksGlass, countingApprovals, unmetNeeds } from "./quorum.ts";
import type { Admission, Approval, Rollout, RolloutEvent } from "./rollout.ts";
import { end, enter, proceed, refuse, type Step } from "./transition.ts";

/** From a proposal to the endpoint's slot: decided, approved, queued. */

type Of<Type extends RolloutEvent["type"]> = Extract<RolloutEvent, { type: Type }>;
type Denials = { clause: string; message: string }[];

export function onProposed(rollout: Rollout, { decision }: Of<"proposed">): Step {
  if (rollout.phase !== "Proposed") return refuse("The plan was proposed and decided already.");
  const decided: Rollout = { ...rollout, needs: decision.needs, dryRun: rollout.dryRun || decision.dryRun };
  if (decision.decision === "deny") return deny(decided, decision.denials);
  if (decided.dryRun) return enter({ ...decided, expiresAtMs: null, pauseRequested: false }, "Verifying");
  if (decision.decision === "needs-approval" && decision.needs.length === 0) {
    // A decision that asks for an approval and names none could be met by nobody, or by anybody.
    return deny(decided, [{ clause: "AO-7", message: "The decision asks for an approval and does not say whose." }]);
  }
  if (unmetNeeds(decided.needs, decided.approvals).length > 0) return { ...decided, phase: "AwaitingApproval" };
  return admit(decided, { ok: true, slotTaken: decision.slotTaken });
}

export function onApproved(rollout: Rollout, { approval, admission }: Of<"approved">): Step {
  const why = whyNot("approve", rollout) ?? whyNotCounted(rollout, approval);
  if (why !== null) return refuse(why);
  const approved = { ...rollout, approvals: [...rollout.approvals, approval] };
  // An approval that comes before the decision is kept: the decision will find it.
  if (rollout.phase === "Proposed") return approved;
  return unmetNeeds(approved.needs, approved.approvals).length > 0 ? approved : admit(approved, admission);
}

function whyNotCounted(rollout: Rollout, approval: Approval): string | null {
  if (isExpired(rollout)) return "The time for approvals is over.";
  if (approval.approver === rollout.proposer) return "Nobody approves a plan of their own.";
  // Whoever has approved in their own role may still break the glass: then nobody else is waited for.
  if (rollout.approvals.some((one) => one.approver === approval.approver) && !breaksGlass(approval)) {
    return "This person has approved already, and one person counts once.";
  }
  if (rollout.phase === "Proposed") return null;
  const { needs, approvals } = rollout;
  if (countingApprovals(needs, [...approvals, approval]) > countingApprovals(needs, approvals)) return null;
  const open = unmetNeeds(needs, approvals).map(
    ({ role, mfa, signed }) => `${role}${mfa ? " with MFA" : ""}${signed ? " with a signature" : ""}`,
  );
  return `This approval would not count; what is still needed: ${open.join(", ")}.`;
}

export function onRejected(rollout: Rollout, { by, comment }: Of<"rejected">): Step {
  const why = whyNot("reject", rollout);
  if (why !== null) return refuse(why);
  const message = comment === undefined ? `Rejected by ${by}.` : `Rejected by ${by}: ${comment}`;
  return end(rollout, "Rejected", { code: "approval", message });
}

export function onDequeued(rollout: Rollout, { admission }: Of<"dequeued">): Step {
  if (rollout.phase !== "Queued") return refuse(`The rollout is not queued: it is in ${rollout.phase}.`);
  if (admission.ok && admission.slotTaken) return refuse("Another rollout holds the endpoint; this one stays queued.");
  return admit(rollout, admission);
}

/** Admitted is passed through: what follows it depends on the slot alone, and needs no further event. */
function admit(rollout: Rollout, admission: Admission): Rollout {
  const admitted = { ...rollout, expiresAtMs: null };
  if (!admission.ok) return deny(admitted, admission.denials);
  return admission.slotTaken ? { ...admitted, phase: "Queued" } : proceed(admitted, "Verifying");
}

/** Refused before anything was changed; every clause is kept, the first one is the headline. */
export function deny(rollout: Rollout, refusals: Denials): Rollout {
  const [first] = refusals;
  const more = refusals.length > 1 ? ` (and ${refusals.length - 1} more)` : "";
  const message = first === undefined ? "The policy denies the plan." : `${first.clause}: ${first.message}${more}`;
  return end({ ...rollout, refusals, expiresAtMs: null }, "Denied", { code: "policy", message });
}
