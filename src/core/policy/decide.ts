import type { Plan } from "../plan/schema.ts";
import { planCost, shownCost } from "../pricing/plan-cost.ts";
import type { DecideInput, Decision, EnvironmentRisk, Facts, Finding, Obligation } from "./decision.ts";
import { type Evaluation, evaluate } from "./evaluate.ts";
import { findingsOf } from "./findings.ts";
import { type Asking, chosenRuntime, gatherAttributes, isAllDueNow } from "./gather-attributes.ts";
import { jointFix } from "./joint-fix.ts";
import { obligationsOf, refusalsOf } from "./obligations.ts";
import type { Policy, PolicySet } from "./policy.ts";

/**
 * Decides a plan at a gate: pure, total, and the same for a surface, the server and a check that runs offline. The plan
 * has its defaults filled in; `planDigest` is that of its stored bytes.
 */
export function decide(set: PolicySet, input: DecideInput): Decision {
  const { plan, facts, prices } = input;
  const simulation = plan.spec.target === "simulated";
  const live = decideLive(set, simulation ? { ...input, plan: asIfLocal(plan) } : input);
  const { risk, verification } = RISKS[plan.spec.environment];
  return {
    decision: simulation ? "allow" : live.decision,
    planDigest: input.planDigest,
    policyDigest: set.digest,
    simulation,
    risk,
    verification,
    runtime: chosenRuntime(plan),
    cost: shownCost(plan, prices, planCost(plan, prices, facts)),
    ...(simulation ? { findings: [], fix: [], obligations: [] } : live),
    source: facts.source,
    unchecked: uncheckedOf(plan, facts),
    ...(simulation && { report: "COMPLIANT" as const, live }),
  };
}

/** The approval matrix's first columns. Source: CP-1. */
const RISKS: Record<Plan["spec"]["environment"], Omit<EnvironmentRisk, "environment">> = {
  development: { risk: "low", verification: "basic" },
  staging: { risk: "medium", verification: "enhanced" },
  production: { risk: "high", verification: "full" },
};

/** What a simulated plan would get for real is asked of the target that is real and near. */
function asIfLocal(plan: Plan): Plan {
  return { ...plan, spec: { ...plan.spec, target: "local" } };
}

type Live = NonNullable<Decision["live"]>;

function decideLive(set: PolicySet, input: DecideInput): Live {
  const { facts } = input;
  const attributes = gatherAttributes(input, "listing");
  const listing = evaluate(set, facts.principal.kind, attributes);
  listing.failures.push(...unknownFacts(input.plan, facts));
  const missing = ask(set, input, "all", listing);
  const findings = findingsOf(listing, attributes, facts.evidenceProblems);
  const known = facts.source === "server" ? missing : undefined;
  const obligations = obligationsOf(listing.forbidding, known, facts.evidenceUnread);
  const missingNow = () => (isAllDueNow(facts) ? missing : ask(set, input, "now", listing));
  const denials = listing.forbidding.filter(({ level }) => level === "deny");
  return {
    decision: outcome(findings, obligations),
    findings,
    fix: denials.length > 0 ? jointFix(set, input, denials) : [],
    obligations,
    ...(facts.gate !== "propose" && { refusals: refusalsOf(missingNow(), facts) }),
  };
}

/** Source: the public contract, "The rule". *require* and *advise* never change it. */
function outcome(findings: Finding[], obligations: Obligation[]): Decision["decision"] {
  if (findings.some(({ level }) => level === "deny")) return "deny";
  return obligations.some(({ kind }) => kind === "approval") ? "needs-approval" : "allow";
}

/** What is still missing. With nothing verified, approved or taken that is everything, and Cedar need not be asked. */
function ask(set: PolicySet, input: DecideInput, asking: Exclude<Asking, "listing">, listing: Evaluation): Policy[] {
  const { facts } = input;
  const nothingThere = asking === "all" && Object.keys(facts.evidence ?? {}).length === 0;
  if (nothingThere && !facts.approvals?.length && facts.snapshot !== true) return listing.forbidding;
  const answer = evaluate(set, facts.principal.kind, gatherAttributes(input, asking));
  // A clause that fails only when something was verified must deny as one that fails without.
  for (const failure of answer.failures) {
    if (!listing.failures.some(({ clause }) => clause === failure.clause)) listing.failures.push(failure);
  }
  return answer.forbidding;
}

const P = { document: "continuum", section: "compliance" } as const;

/** On the server every fact can be known; one that was not gathered is an error, and an error is a denial. */
function unknownFacts(plan: Plan, facts: Facts): Evaluation["failures"] {
  if (facts.source !== "server") return [];
  const sum = environmentClause(plan);
  const unknownSum = facts.environmentMicroUsdPerHour === undefined || facts.endpointMicroUsdPerHour === undefined;
  return [
    ...(unknownSum && sum !== undefined ? [{ clause: sum, document: "agentops", section: "budgets" } as const] : []),
    ...(facts.namesAreOwn === undefined ? [{ clause: "P5", ...P }] : []),
    ...(facts.breaker === undefined ? [{ clause: "P7", ...P }] : []),
  ];
}

/** Which clause reads the environment's sum; development has no cap of its own. */
function environmentClause(plan: Plan): "AO-5" | "AO-6" | undefined {
  if (plan.spec.environment === "development") return undefined;
  return plan.spec.environment === "staging" ? "AO-5" : "AO-6";
}

function uncheckedOf(plan: Plan, facts: Facts): string[] {
  if (facts.source === "server") return [];
  const sum = environmentClause(plan);
  return [
    ...(facts.environmentMicroUsdPerHour === undefined && sum !== undefined ? [`${sum}: the environment's sum`] : []),
    ...(facts.namesAreOwn === undefined ? ["P5"] : []),
    ...(facts.breaker === undefined ? ["P7"] : []),
  ];
}
