import type { Decision } from "../policy/decision.ts";
import type { Approval, Rollout } from "../rollout/rollout.ts";
import { type EvidenceItem, evidenceDigestOf, type RolloutConsent, sortedEvidence } from "./statement.ts";

/** P6: up to this many seconds a deadline needs no word in a statement. Source: settlement 8 of the clauses. */
const DEADLINE_SECONDS_UNNAMED = 600;

/** What a statement says of a rollout, whoever signs it and whenever. */
export type RolloutTerms = Omit<
  RolloutConsent,
  "approver" | "role" | "issuedAt" | "notAfter" | "nonce" | "evidence" | "evidenceDigest" | "breakGlass"
>;

/** The terms as they are now: of what is stored about the rollout, and of nothing that a client says. */
export function termsOf(rollout: Rollout, decision: Pick<Decision, "runtime" | "verification">): RolloutTerms {
  const { environment, target, name } = rollout.endpoint;
  const { deadlineSeconds } = rollout.plan.spec.rollout;
  return {
    tenant: rollout.tenant,
    rollout: rollout.id,
    environment,
    endpoint: `${environment}/${target}/${name}`,
    planDigest: rollout.planDigest,
    policyDigest: rollout.policyDigest,
    runtime: decision.runtime,
    verification: decision.verification,
    effect: "live",
    ...(deadlineSeconds > DEADLINE_SECONDS_UNNAMED ? { deadlineSeconds } : {}),
  };
}

/** A whole consent to a rollout, with the evidence that counts now. */
export function rolloutConsent(
  terms: RolloutTerms,
  by: {
    approver: string;
    role: Approval["role"];
    issuedAtMs: number;
    notAfterMs: number;
    nonce: string;
    evidence: readonly EvidenceItem[];
    reason?: string | undefined;
  },
): RolloutConsent {
  return {
    ...terms,
    approver: by.approver,
    role: by.role,
    issuedAt: new Date(by.issuedAtMs).toISOString(),
    notAfter: new Date(by.notAfterMs).toISOString(),
    nonce: by.nonce,
    evidence: sortedEvidence(by.evidence),
    evidenceDigest: evidenceDigestOf(by.evidence),
    ...(by.reason === undefined ? {} : { breakGlass: { reason: by.reason } }),
  };
}

/** The world as it is when a consent is judged. */
export interface Present {
  terms: RolloutTerms;
  /** What is in force for the tenant now. */
  policyDigest: string;
  /** What counts now; a piece that the approver saw and that is not among it was removed, replaced or revoked. */
  evidence: readonly EvidenceItem[];
  nowMs: number;
}

/** `superseded`: it was good, and what it was about has changed since. */
export type ConsentProblem = { why: "expired" | "other-rollout"; message: string } | SupersedingProblem;
export interface SupersedingProblem {
  why: "plan" | "policy" | "evidence";
  message: string;
}

/** What is wrong with a consent as things are now; null when it counts. */
export function consentProblem(says: RolloutConsent, present: Present): ConsentProblem | null {
  const { terms } = present;
  if (says.tenant !== terms.tenant || says.rollout !== terms.rollout || says.endpoint !== terms.endpoint) {
    return { why: "other-rollout", message: "The approval is about another rollout." };
  }
  if (says.planDigest !== terms.planDigest) return { why: "plan", message: "The plan is not the one approved." };
  if (says.policyDigest !== terms.policyDigest || says.policyDigest !== present.policyDigest) {
    return { why: "policy", message: "The policy in force is not the one that the approval was given under." };
  }
  const same = (["environment", "runtime", "verification", "effect", "deadlineSeconds"] as const).every(
    (field) => says[field] === terms[field],
  );
  if (!same) return { why: "plan", message: "What would be done is not what was approved." };
  const gone = goneEvidence(says.evidence, present.evidence);
  if (gone !== undefined) {
    const message = `The ${gone.kind} evidence that the approver saw was removed, replaced or revoked.`;
    return { why: "evidence", message };
  }
  if (present.nowMs >= Date.parse(says.notAfter)) {
    return { why: "expired", message: `The approval counted until ${says.notAfter}.` };
  }
  return null;
}

/** Evidence that came since is no harm; what was there must be there still. */
function goneEvidence(bound: readonly EvidenceItem[], now: readonly EvidenceItem[]): EvidenceItem | undefined {
  return bound.find(
    (one) =>
      !now.some(({ kind, subject, digest }) => kind === one.kind && subject === one.subject && digest === one.digest),
  );
}
