import { randomBytes } from "node:crypto";
import { holdsRole } from "../core/approval/authority.ts";
import { consentProblem, type Present, type SupersedingProblem } from "../core/approval/rollout-consent.ts";
import { APPROVAL_TYPE, decodeConsent, encodeConsent, type RolloutConsent } from "../core/approval/statement.ts";
import { nonceOfBundle } from "../core/approval/verify-consent.ts";
import { advance } from "../core/rollout/advance.ts";
import { whyNot } from "../core/rollout/allowed-actions.ts";
import type { Approval, Rollout } from "../core/rollout/rollout.ts";
import { rolesHeldIn } from "../core/tenancy/scoped-role.ts";
import { admit } from "../engine/admission.ts";
import { presentOf, verifyStoredApprovals } from "../engine/approval-check.ts";
import { appendAudit, textDigest } from "../engine/audit-log.ts";
import { type EventBody, signal } from "../engine/commit.ts";
import { checkCapacity } from "../engine/proposal.ts";
import type { Transaction } from "../store/database.ts";
import { consumeStatement, insertStatement, readStatement } from "../store/queries/approvals.ts";
import { readPrincipal } from "../store/queries/principals.ts";
import type { RolloutRow } from "../store/queries/rollouts.ts";
import { type CheckedProof, checkProof, type GivenProof } from "./approval-statements.ts";
import { consentOf, type Requirement, refuseIfChanged, requirementOf, wordsOf } from "./approvals-prepare.ts";
import type { Call, ServiceParts } from "./handler.ts";
import type { Principal } from "./principal.ts";
import { refuse } from "./refusal.ts";
import type { RolloutDetailView } from "./rollout-view.ts";
import { detailOf, find } from "./rollouts.ts";

type RolloutProof = CheckedProof<{ type: typeof APPROVAL_TYPE; says: RolloutConsent }>;

/** Takes an approval: everything that can be refused is, before the one transaction that uses the statement up. */
export async function approve(parts: ServiceParts, call: Call<"approvals.approve">): Promise<RolloutDetailView> {
  const { principal, actor, input } = call;
  const { planDigest, comment, nonce, bundle, stepUp } = input.body;
  const row = await find(parts, principal.tenant, input.params.id);
  const rollout = row.state;
  if (planDigest !== rollout.planDigest) {
    refuse("digest-mismatch", `The rollout is about the plan ${rollout.planDigest}, not the one that was read.`);
  }
  const proof: GivenProof = { nonce, bundle, stepUp };
  const wanted = input.body.role ?? (await roleAsked(parts, principal, proof));
  const required = await requirementOf(parts, principal, { rollout, wanted });
  const present = await presentOf(parts.database, parts, { rollout, decision: row.decision });
  await refuseIfChanged(parts, { rollout, present, actor });
  const checked = await proofOf(parts, principal, { rollout, required, proof });
  if (checked !== null) refuseOtherwise(checked.consent.says, { required, present });
  const approval: Approval = {
    ...{ approver: principal.id, role: required.role, atMs: parts.nowMs() },
    ...{ mfa: checked !== null && checked.stepUp !== null, signed: checked !== null && checked.signature !== null },
    nonce: checked?.consent.says.nonce ?? randomBytes(32).toString("base64url"),
    ...(checked?.signature ?? {}),
    ...(comment === undefined ? {} : { comment }),
    ...(checked?.consent.says.breakGlass === undefined ? {} : { reason: checked.consent.says.breakGlass.reason }),
  };
  if (completes(parts, rollout, approval)) await checkCapacity(parts, rollout.plan);
  const committed = await signal(parts, {
    ...{ tenant: rollout.tenant, rolloutId: rollout.id, actor, cause: `request/${call.requestId}` },
    event: (tx, locked) => approvedOrSuperseded(tx, parts, { locked, row, approval, checked, principal, actor }),
  });
  if (!committed.accepted) refuse("not-acceptable-now", committed.refusal ?? "The rollout takes no approval now.");
  if (committed.rollout.phase === "Superseded") refuse("statement-refused", wordsOf(committed.rollout));
  return detailOf(await find(parts, rollout.tenant, rollout.id));
}

interface Approving {
  locked: Rollout;
  row: RolloutRow;
  approval: Approval;
  checked: RolloutProof | null;
  principal: Principal;
  actor: Call<"approvals.approve">["actor"];
}

/**
 * What the rollout, locked, is told: the approval, or that it is about something that is not so any more. Whatever makes
 * it no approval throws, so that the transaction leaves the statement unused.
 */
async function approvedOrSuperseded(tx: Transaction, parts: ServiceParts, on: Approving): Promise<EventBody> {
  const { locked, row, approval, checked, principal, actor } = on;
  const why = whyNot("approve", locked);
  if (why !== null) refuse("not-acceptable-now", why);
  const present = await presentOf(tx, parts, { rollout: locked, decision: row.decision });
  const changed = await changedSince(tx, parts, { rollout: locked, present, says: checked?.consent.says });
  if (changed !== null) return { type: "superseded", by: principal.id, why: changed };
  const trial = advance(locked, {
    ...{ type: "approved", approval, admission: { ok: true, slotTaken: false }, atMs: parts.nowMs() },
  });
  if (!trial.accepted) refuse("not-acceptable-now", trial.refusal ?? "The rollout takes no approval now.");
  await refuseLostRole(tx, principal, { role: approval.role, environment: locked.endpoint.environment });
  if (checked === null) await keepUnsigned(tx, parts, { present, approval, principal });
  else await checked.consume(tx);
  if (approval.role === "break-glass") await tellOfGlass(tx, parts, { locked, approval, actor });
  const admission =
    trial.rollout.phase === "AwaitingApproval" || trial.rollout.phase === "Proposed"
      ? ({ ok: true, slotTaken: false } as const)
      : await admit(tx, parts, locked);
  return { type: "approved", approval, admission };
}

/** Why the rollout has to be proposed again; null while everything is as it was approved. */
async function changedSince(
  tx: Transaction,
  parts: ServiceParts,
  at: { rollout: Rollout; present: Present; says: RolloutConsent | undefined },
): Promise<SupersedingProblem["why"] | null> {
  const { rollout, present, says } = at;
  if (present.policyDigest !== rollout.policyDigest) return "policy";
  const { problems } = await verifyStoredApprovals(tx, parts, rollout);
  const earlier = problems.find(({ superseding }) => superseding !== null);
  if (earlier?.superseding != null) return earlier.superseding;
  const own = says === undefined ? null : consentProblem(says, present);
  if (own !== null && own.why !== "expired" && own.why !== "other-rollout") return own.why;
  if (own !== null) refuse("statement-refused", own.message);
  return null;
}

/** A role may have been taken away while the person signed. */
async function refuseLostRole(
  tx: Transaction,
  { tenant, id }: Principal,
  { role, environment }: Pick<Approval, "role"> & { environment: string },
): Promise<void> {
  const person = await readPrincipal(tx, tenant, id);
  if (person === undefined || !holdsRole(rolesHeldIn(person.roles, environment), role))
    refuse("forbidden", `You are ${role} no more.`);
}

/** What needs neither MFA nor a signature is bound all the same: to the plan, the policy and the evidence of now. */
async function keepUnsigned(
  tx: Transaction,
  parts: ServiceParts,
  { present, approval, principal }: { present: Present; approval: Approval; principal: Principal },
): Promise<void> {
  const { tenant, id } = principal;
  const atMs = parts.nowMs();
  const nonce = approval.nonce ?? "";
  const says = consentOf(present, { approver: id, role: approval.role, nonce, issuedAtMs: atMs, reason: undefined });
  await insertStatement(tx, {
    ...{ tenant, nonce, principal: id, kind: "rollout", about: present.terms.rollout, createdAtMs: atMs },
    ...{ statement: encodeConsent({ type: APPROVAL_TYPE, says }), submitBeforeMs: atMs + 1 },
  });
  await consumeStatement(tx, { tenant, nonce, principal: id, atMs, bundle: null, keyId: null, stepUp: null });
}

/** A broken glass is told of by itself, beside the approval that it is. */
function tellOfGlass(
  tx: Transaction,
  parts: ServiceParts,
  { locked, approval, actor }: Pick<Approving, "locked" | "approval" | "actor">,
): Promise<void> {
  const { environment, target, name } = locked.endpoint;
  return appendAudit(tx, {
    ...{ tenant: locked.tenant, atMs: parts.nowMs(), actor, subject: `rollout:${locked.id}`, outcome: "accepted" },
    action: "approval.break-glass",
    details: {
      ...{
        planDigest: locked.planDigest,
        policyDigest: locked.policyDigest,
        endpoint: `${environment}/${target}/${name}`,
      },
      ...(approval.keyId === undefined ? {} : { keyId: approval.keyId }),
      ...textDigest(approval.reason),
    },
  });
}

/** The role that the statement was asked for; what it says is believed only after it was checked. */
async function roleAsked(
  parts: ServiceParts,
  { tenant }: Principal,
  { nonce, bundle }: GivenProof,
): Promise<Approval["role"] | undefined> {
  const named = bundle === undefined ? nonce : nonceOfBundle(Buffer.from(JSON.stringify(bundle), "utf8"));
  const row = named === undefined ? undefined : await readStatement(parts.database, tenant, named);
  const consent = row === undefined ? undefined : decodeConsent(row.statement);
  return consent?.ok === true && consent.value.type === APPROVAL_TYPE ? consent.value.says.role : undefined;
}

/** Null where nothing is due and nothing was given. */
async function proofOf(
  parts: ServiceParts,
  principal: Principal,
  { rollout, required, proof }: { rollout: Rollout; required: Requirement; proof: GivenProof },
): Promise<RolloutProof | null> {
  const given = proof.nonce !== undefined || proof.bundle !== undefined || proof.stepUp !== undefined;
  if (!given && required.signed) {
    refuse(
      "signature-required",
      "This approval is signed by a key of your own: `continuum approval approve ID --key FILE`.",
    );
  }
  if (!given && required.mfa)
    refuse("step-up-required", "This approval needs a second factor, shown with its statement.");
  if (!given) return null;
  return checkProof(parts, {
    principal,
    kind: "rollout",
    about: rollout.id,
    type: APPROVAL_TYPE,
    requires: required,
    proof,
  });
}

function refuseOtherwise(
  says: RolloutConsent,
  { required, present }: { required: Requirement; present: Present },
): void {
  if (says.role !== required.role) {
    refuse("statement-refused", `The statement is that of ${says.role}, and this approval is one as ${required.role}.`);
  }
  const problem = consentProblem(says, present);
  if (problem !== null && (problem.why === "expired" || problem.why === "other-rollout")) {
    refuse("statement-refused", problem.message);
  }
}

function completes(parts: ServiceParts, rollout: Rollout, approval: Approval): boolean {
  const admission = { ok: true, slotTaken: false } as const;
  const trial = advance(rollout, { type: "approved", approval, admission, atMs: parts.nowMs() });
  return trial.accepted && trial.rollout.phase !== "AwaitingApproval" && trial.rollout.phase !== "Proposed";
}
