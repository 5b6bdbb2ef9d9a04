import { requirementFor, whyNotDecide } from "../core/approval/authority.ts";
import { type Present, rolloutConsent } from "../core/approval/rollout-consent.ts";
import { APPROVAL_TYPE, type RolloutConsent } from "../core/approval/statement.ts";
import { canonicalPlan } from "../core/plan/canonical.ts";
import { whyNot } from "../core/rollout/allowed-actions.ts";
import type { Approval, Rollout } from "../core/rollout/rollout.ts";
import { presentOf } from "../engine/approval-check.ts";
import { type EventBody, signal } from "../engine/commit.ts";
import type { Actor } from "../engine/engine.ts";
import { readPrincipal } from "../store/queries/principals.ts";
import { type PreparedStatement, prepareStatement } from "./approval-statements.ts";
import type { Call, ServiceParts } from "./handler.ts";
import type { Principal } from "./principal.ts";
import { refuse } from "./refusal.ts";
import { find } from "./rollouts.ts";

/** Before anything is signed: who may approve as what, and the statement of it as things are now. */

export type Requirement = Pick<Approval, "role" | "mfa" | "signed">;

/** How long an approval counts: the rollout has to pass its last gate by then. */
const VALID_MS = 24 * 3600 * 1000;

/** The exact bytes that this person's approval of the rollout would sign. */
export async function approvalStatement(
  parts: ServiceParts,
  { principal, actor, input }: Call<"approvals.statement">,
): Promise<PreparedStatement> {
  const row = await find(parts, principal.tenant, input.params.id);
  const rollout = row.state;
  const { role, reason } = input.body;
  const required = await requirementOf(parts, principal, { rollout, wanted: role });
  if ((required.role === "break-glass") !== (reason !== undefined)) {
    refuse("malformed-request", "A reason is given exactly where the glass is broken.", { pointer: "/reason" });
  }
  const present = await presentOf(parts.database, parts, { rollout, decision: row.decision });
  await refuseIfChanged(parts, { rollout, present, actor });
  return parts.database.transaction((tx) =>
    prepareStatement(tx, parts, {
      ...{ principal, kind: "rollout", about: rollout.id, reason, subject: canonicalPlan(rollout.plan) },
      requires: { mfa: required.mfa, signed: required.signed },
      make: ({ nonce, issuedAtMs }) => ({
        type: APPROVAL_TYPE,
        says: consentOf(present, { approver: principal.id, role: required.role, nonce, issuedAtMs, reason }),
      }),
    }),
  );
}

/** What this person's approval would be and must carry. Errors: `own-plan`, `forbidden`, `not-acceptable-now`. */
export async function requirementOf(
  parts: ServiceParts,
  principal: Principal,
  { rollout, wanted }: { rollout: Rollout; wanted: Approval["role"] | undefined },
): Promise<Requirement> {
  const why = whyNot("approve", rollout);
  if (why !== null) refuse("not-acceptable-now", why);
  const proposer = await readPrincipal(parts.database, rollout.tenant, rollout.proposer);
  const own = whyNotDecide(principal, proposer ?? { id: rollout.proposer, owner: null });
  if (own !== null) refuse(own.code, own.message);
  const required = requirementFor(principal, rollout, wanted);
  return "code" in required ? refuse(required.code, required.message) : required;
}

/** What was decided under a policy that is in force no more cannot be approved by anybody; it ends. */
export async function refuseIfChanged(
  parts: ServiceParts,
  on: { rollout: Rollout; present: Present; actor: Actor },
): Promise<void> {
  const { rollout, present, actor } = on;
  if (present.policyDigest === rollout.policyDigest) return;
  const { tenant, id } = rollout;
  const event: EventBody = { type: "superseded", by: actor.id, why: "policy" };
  const cause = `superseded/policy/${present.policyDigest}`;
  const { rollout: ended, refusal } = await signal(parts, { tenant, rolloutId: id, event, cause, actor });
  if (refusal !== null) refuse("not-acceptable-now", refusal);
  refuse("statement-refused", wordsOf(ended));
}

export function wordsOf({ reason, phase }: Rollout): string {
  return reason?.message ?? `The rollout has ended: ${phase}.`;
}

export function consentOf(
  present: Present,
  by: { approver: string; role: Approval["role"]; nonce: string; issuedAtMs: number; reason: string | undefined },
): RolloutConsent {
  const notAfterMs = by.issuedAtMs + VALID_MS;
  return rolloutConsent(present.terms, { ...by, notAfterMs, evidence: present.evidence });
}
