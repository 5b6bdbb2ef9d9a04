import * as cedar from "@cedar-policy/cedar-wasm/nodejs";
import { type Attributes, toCedarContext } from "./attributes.ts";
import type { Facts } from "./decision.ts";
import type { Policy, PolicySet } from "./policy.ts";

/** What Cedar said: the policies that forbid, and what could not be evaluated. */
export interface Evaluation {
  /** In the order of the set. */
  forbidding: Policy[];
  /** A clause that could not be evaluated is a denial that names it (settlement 11 of the clauses). */
  failures: { clause: string; document: Policy["document"]; section: string }[];
}

const PRINCIPALS: Record<Facts["principal"]["kind"], string> = { human: "Human", agent: "Agent", service: "Service" };

/**
 * One question to Cedar about a plan, at every level at once. Total: whatever goes wrong inside becomes a failure in the
 * answer, for Cedar skips a forbid that errors, and a plan must not pass because its evaluation broke.
 */
export function evaluate(set: PolicySet, principal: Facts["principal"]["kind"], attributes: Attributes): Evaluation {
  let answer: cedar.AuthorizationAnswer;
  try {
    answer = cedar.statefulIsAuthorized({
      principal: { type: PRINCIPALS[principal], id: "proposer" },
      action: { type: "Action", id: "deployClean" },
      resource: { type: "Endpoint", id: "endpoint" },
      context: toCedarContext(attributes),
      preparsedSchemaName: set.handle,
      preparsedPolicySetId: set.handle,
      validateRequest: true,
      entities: [],
    });
  } catch {
    // The binding throws on a call it cannot read; the text may quote the plan, so it is not passed on.
    return { forbidding: [], failures: [WHOLE] };
  }
  if (answer.type === "failure") return { forbidding: [], failures: [WHOLE] };
  const { decision, diagnostics } = answer.response;
  const failures = diagnostics.errors.map(({ policyId }) => set.policies.get(policyId) ?? WHOLE);
  const reasons = new Set(diagnostics.reason);
  const forbidding = [...set.policies.values()].filter(({ id }) => reasons.has(id));
  // Denied by nothing we know, or allowed although something forbids: the set and Cedar disagree.
  const consistent = decision === "deny" ? forbidding.length > 0 || failures.length > 0 : forbidding.length === 0;
  return { forbidding, failures: consistent ? failures : [...failures, WHOLE] };
}

/**
 * What Cedar would say of a plan that nobody proposed, for a search: computed here where every policy allows it, asked
 * of Cedar where one does not. Never a decision.
 */
export function foresee(set: PolicySet, principal: Facts["principal"]["kind"], attributes: Attributes): Policy[] {
  const policies = foreseeable(set);
  if (policies === undefined) return evaluate(set, principal, attributes).forbidding;
  const kind = PRINCIPALS[principal];
  return policies.filter((policy) => policy.whatIf?.(attributes, kind));
}

const foreseeableSets = new WeakMap<PolicySet, { policies: Policy[] | undefined }>();

/** The set's policies in order, when every one can be foreseen; looked up once per set. */
function foreseeable(set: PolicySet): Policy[] | undefined {
  const known = foreseeableSets.get(set);
  if (known !== undefined) return known.policies;
  const all = [...set.policies.values()];
  const policies = all.every(({ whatIf }) => whatIf !== undefined) ? all : undefined;
  foreseeableSets.set(set, { policies });
  return policies;
}

/** Policy validation itself is CP-7: what belongs to no single clause is refused under it. */
const WHOLE = { clause: "CP-7", document: "continuum", section: "pipeline" } as const;
