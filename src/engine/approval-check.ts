import { holdsRole, whyNotDecide } from "../core/approval/authority.ts";
import { consentProblem, type Present, type SupersedingProblem, termsOf } from "../core/approval/rollout-consent.ts";
import { APPROVAL_TYPE, decodeConsent, type EvidenceItem, type RolloutConsent } from "../core/approval/statement.ts";
import { verifyConsent } from "../core/approval/verify-consent.ts";
import type { Decision, Facts } from "../core/policy/decision.ts";
import type { Approval, Rollout } from "../core/rollout/rollout.ts";
import { rolesHeldIn } from "../core/tenancy/scoped-role.ts";
import type { Queryable } from "../store/database.ts";
import { type UsedStatementRow, usedStatements } from "../store/queries/approvals.ts";
import { readActivePolicy } from "../store/queries/policy-versions.ts";
import { readPrincipal } from "../store/queries/principals.ts";
import { readRollout } from "../store/queries/rollouts.ts";
import type { EngineParts } from "./engine.ts";
import { countingEvidence } from "./evidence-set.ts";

type CheckParts = Pick<EngineParts, "nowMs" | "policySet" | "signatures">;
type GivenApproval = NonNullable<Facts["approvals"]>[number];

export interface CheckedApprovals {
  /** Those that count now, with what was verified anew: for `Facts.approvals`. */
  approvals: GivenApproval[];
  /** Whether an approver's own signature is among them (CP-10). */
  approverSigned: boolean;
  /** One sentence for each approval that was given and does not count now. */
  problems: { approver: string; message: string; superseding: SupersedingProblem["why"] | null }[];
}

/** What a caller has just found out, so that it is not asked for again. */
export interface KnownFacts {
  policyDigest?: string;
  /** As `countingEvidence` gives it. */
  evidence?: readonly EvidenceItem[];
}

/**
 * Every approval of a rollout, verified again over the stored bytes: the signature by a key that is this person's still,
 * the statement against the rollout, its policy and its evidence as they are now, the role, the time, and that this
 * rollout used the statement up. What the rollout's own row says of its approvals is believed only as far as the signed bytes
 * say the same. Asks nothing when nobody has approved.
 */
export async function verifyStoredApprovals(
  db: Queryable,
  parts: CheckParts,
  rollout: Rollout,
  known: KnownFacts = {},
): Promise<CheckedApprovals> {
  const checked: CheckedApprovals = { approvals: [], approverSigned: false, problems: [] };
  // What was given for another rollout, and for this one as its way back, is verified where it was given.
  const own = rollout.approvals.filter(({ wayBack }) => wayBack !== true);
  if (own.length === 0) return checked;
  const { tenant, id } = rollout;
  const [statements, proposer, stored] = await Promise.all([
    usedStatements(db, { tenant, kind: "rollout", about: id }),
    readPrincipal(db, tenant, rollout.proposer),
    readRollout(db, tenant, id),
  ]);
  if (stored === undefined) throw new Error(`broken invariant: rollout ${id} is stored before its approvals are`);
  const present = await presentOf(db, parts, { rollout, decision: stored.decision }, known);
  for (const approval of own) {
    const row = statements.find(({ nonce }) => nonce === approval.nonce);
    const verdict =
      approval.nonce === undefined
        ? await olderApproval(db, rollout, approval)
        : statementVerdict(row, { approval, present, proposer: proposer ?? { id: rollout.proposer, owner: null } });
    if ("message" in verdict) checked.problems.push({ approver: approval.approver, ...verdict });
    else checked.approvals.push(verdict);
  }
  checked.approverSigned = checked.approvals.some(({ role, signed }) => signed && role !== "budget-owner");
  return checked;
}

/** What a consent to a rollout is compared with. */
export async function presentOf(
  db: Queryable,
  parts: CheckParts,
  { rollout, decision }: { rollout: Rollout; decision: Pick<Decision, "runtime" | "verification"> },
  known: KnownFacts = {},
): Promise<Present> {
  const { tenant, plan, planDigest } = rollout;
  const restores = rollout.restores !== undefined;
  const [policyDigest, evidence] = await Promise.all([
    known.policyDigest ?? policyDigestInForce(db, parts, tenant),
    known.evidence ?? countingEvidence(db, parts, { tenant, plan, planDigest, restores }),
  ]);
  return { terms: termsOf(rollout, decision), policyDigest, evidence, nowMs: parts.nowMs() };
}

/** The digest of the policy that the tenant's decisions are made with now. */
export async function policyDigestInForce(
  db: Queryable,
  parts: Pick<CheckParts, "policySet">,
  tenant: string,
): Promise<string> {
  return (await readActivePolicy(db, tenant))?.digest ?? parts.policySet.digest;
}

type Refused = { message: string; superseding: SupersedingProblem["why"] | null };

function refused(message: string, superseding: Refused["superseding"] = null): Refused {
  return { message, superseding };
}

function statementVerdict(
  row: UsedStatementRow | undefined,
  about: { approval: Approval; present: Present; proposer: { id: string; owner: string | null } },
): GivenApproval | Refused {
  const { approval, present, proposer } = about;
  if (row === undefined) return refused("The statement that the approval was given by is not stored.");
  const says = saysOf(row);
  if (says === undefined) return refused("The stored statement is no approval.");
  if (says.approver !== approval.approver || row.principal !== approval.approver || says.role !== approval.role) {
    return refused("The approval is recorded for another person or role than its statement names.");
  }
  const person = { id: row.principal, kind: row.personKind as "human", roles: row.roles };
  const may = whyNotDecide(person, proposer);
  if (may !== null) return refused(may.message);
  if (!holdsRole(rolesHeldIn(person.roles, says.environment), says.role))
    return refused(`${person.id} is ${says.role} no more.`);
  const problem = consentProblem(says, present);
  if (problem !== null) {
    const superseding = problem.why === "expired" || problem.why === "other-rollout" ? null : problem.why;
    return refused(problem.message, superseding);
  }
  const signature =
    row.bundle === null ? null : verifyConsent(row.bundle, { statement: row.statement, keys: row.keys ?? [] });
  if (signature?.ok === false) return refused(`The approver's signature does not count: ${signature.reason}.`);
  if (approval.signed && signature === null) return refused("The approver's signature is not stored.");
  if (approval.mfa && row.stepUp === null) return refused("No second factor is recorded with the statement.");
  return { role: says.role, approver: says.approver, mfa: row.stepUp !== null, signed: signature !== null };
}

function saysOf({ statement }: UsedStatementRow): RolloutConsent | undefined {
  const consent = decodeConsent(statement);
  return consent.ok && consent.value.type === APPROVAL_TYPE ? consent.value.says : undefined;
}

/** Given under a release that kept no statements: it could prove neither MFA nor a signature, and counts as neither. */
async function olderApproval(db: Queryable, rollout: Rollout, approval: Approval): Promise<GivenApproval | Refused> {
  const { tenant } = rollout;
  const [person, proposer] = await Promise.all([
    readPrincipal(db, tenant, approval.approver),
    readPrincipal(db, tenant, rollout.proposer),
  ]);
  if (person === undefined) return refused(`${approval.approver} is not known any more.`);
  const may = whyNotDecide(person, proposer ?? { id: rollout.proposer, owner: null });
  if (may !== null) return refused(may.message);
  if (
    !holdsRole(rolesHeldIn(person.roles, rollout.endpoint.environment), approval.role) ||
    approval.role === "break-glass"
  ) {
    return refused(`${person.id} is ${approval.role} no more.`);
  }
  return { role: approval.role, approver: person.id, mfa: false, signed: false };
}
