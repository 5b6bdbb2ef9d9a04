import { type Attributes, toCedarContext } from "./attributes.ts";
import { type AuthorizationAnswer, cedar } from "./cedar.ts";
import type { Facts } from "./decision.ts";
import type { Policy, PolicySet } from "./policy.ts";

/** What Cedar said: the policies that forbid, and what could not be evaluated. */
export interface Evaluation {
  /** In the order of the set. */
  forbidding: Policy[];
  /** A clause that could not be evaluated is a denial that names it (settlement 11 of the clauses). */
  failures: { clause: string; document: Policy["document"]; section: string }[];
}

export const PRINCIPALS: Record<Facts["principal"]["kind"], string> = {
  human: "Human",
  agent: "Agent",
  service: "Service",
};

/** In every level's action, so a policy's own action plays no part in whether it speaks. */
const ACTION = { type: "Action", id: "deployClean" } as const;
const RESOURCE = { type: "Endpoint", id: "endpoint" } as const;

/**
 * One question to Cedar about a plan, at every level at once. Total: whatever goes wrong inside becomes a failure in the
 * answer, for Cedar skips a forbid that errors, and a plan must not pass because its evaluation broke.
 */
export function evaluate(set: PolicySet, principal: Facts["principal"]["kind"], attributes: Attributes): Evaluation {
  const names = set.reads.get(attributes.environment);
  if (names === undefined) return { forbidding: [], failures: [WHOLE] };
  let answer: AuthorizationAnswer;
  try {
    // The types were compared when the context was made, and without the schema Cedar takes half as long.
    answer = cedar.statefulIsAuthorized({
      principal: { type: PRINCIPALS[principal], id: "proposer" },
      action: ACTION,
      resource: RESOURCE,
      context: toCedarContext(attributes, { names, form: set.form }),
      preparsedPolicySetId: set.handle,
      entities: [],
    });
  } catch {
    // A value of a wrong type, or a call that the binding cannot read; the text may quote the plan, so it stays here.
    return { forbidding: [], failures: [WHOLE] };
  }
  if (answer.type === "failure") return { forbidding: [], failures: [WHOLE] };
  const { decision, diagnostics } = answer.response;
  const speaking = new Set([...diagnostics.reason, ...diagnostics.errors.map(({ policyId }) => policyId)]);
  const failed = new Set(diagnostics.errors.map(({ policyId }) => policyId));
  // Cedar answers in any order; the same plan must get the same answer each time.
  const known = [...set.policies.values()].filter(({ id }) => speaking.has(id));
  const forbidding = known.filter(({ id }) => !failed.has(id));
  const failures: Evaluation["failures"] = known.filter(({ id }) => failed.has(id));
  // An error of the base permit, or of a policy that we do not know.
  if (failures.length < failed.size) failures.push(WHOLE);
  // Denied by nothing we know, or allowed although something forbids: the set and Cedar disagree.
  const consistent = decision === "deny" ? forbidding.length > 0 || failures.length > 0 : forbidding.length === 0;
  return { forbidding, failures: consistent ? failures : [...failures, WHOLE] };
}

/** Policy validation itself is CP-7: what belongs to no single clause is refused under it. */
const WHOLE = { clause: "CP-7", document: "continuum", section: "pipeline" } as const;
