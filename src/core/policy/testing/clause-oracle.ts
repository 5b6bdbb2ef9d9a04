import type { Plan } from "../../plan/schema.ts";
import type { DecideInput, Decision, Gate, Level, Obligation } from "../decision.ts";
import { findingsOfObligations, obligationsDue } from "./obligation-oracle.ts";
import { type OracleFinding, priceMicro } from "./oracle-finding.ts";

/**
 * A second reading of the clauses, written from the documents alone and as plainly as can be, to hold the policies
 * against. It shares types with the product and not one line of its reasoning: what both say alike was read alike
 * twice. Where the documents leave a choice, the reading that was taken stands in a comment that begins "Reading".
 */

export interface OracleVerdict extends Pick<Decision, "decision" | "risk" | "verification" | "runtime" | "unchecked"> {
  findings: OracleFinding[];
  obligations: Obligation[];
  /** The clauses whose obligations must be met by this gate and are not. */
  missingNow: string[];
}

const TYPE = "/spec/compute/instanceType";
const COUNT = "/spec/compute/instanceCount";
export const ROLLBACK_ALARMS = ["ModelMonitorAlarm", "DataDriftAlarm"];

export function oracle(input: DecideInput): OracleVerdict {
  const { plan, facts } = input;
  const { environment } = plan.spec;
  const obligations = obligationsDue(input);
  const denied = denialsAt(input, facts.gate);
  const findings = [...denied, ...findingsOfObligations(input, obligations), ...peaks(input), ...advice(input)];
  const needsApproval = obligations.some(({ kind }) => kind === "approval");
  return {
    decision: denied.length > 0 ? "deny" : needsApproval ? "needs-approval" : "allow",
    risk: ({ development: "low", staging: "medium", production: "high" } as const)[environment],
    verification: ({ development: "basic", staging: "enhanced", production: "full" } as const)[environment],
    runtime: runtimeOf(plan),
    findings,
    obligations,
    missingNow: obligations.flatMap((each) => (isMissing(each, facts.gate) ? missingClauses(each, input) : [])),
    unchecked: unchecked(input),
  };
}

/**
 * Reading: the gates of the table say where a clause must be asked at least; a plan that is denied is denied at any
 * later gate. P7 is the exception: "further plans are denied", and a plan that was let in before it opened goes on.
 */
function denialsAt(input: DecideInput, gate: Gate): OracleFinding[] {
  return denials(input).filter(({ clause }) => clause !== "P7" || gate === "propose");
}

/** CP-11 is asked just before the first effect; everything else after the approvals, and again then. */
function isMissing(obligation: Obligation, gate: Gate): boolean {
  if (obligation.status === "met" || gate === "propose") return false;
  return obligation.kind !== "snapshot" || gate === "pre-provision";
}

/** An approval without MFA or signature answers AO-7 and not CP-1. */
function missingClauses(obligation: Obligation, { facts }: DecideInput): string[] {
  const approved = obligation.kind === "approval" && facts.approvals?.some(({ role }) => role === "approver") === true;
  return obligation.clauses.filter((clause) => clause !== "AO-7" || !approved);
}

/** Every clause that denies this plan with these facts, whatever the gate. */
export function denials(input: DecideInput): OracleFinding[] {
  return [...typesAndCounts(input), ...caps(input), ...shape(input), ...runtimes(input.plan), ...facts(input)];
}

function typesAndCounts(input: DecideInput): OracleFinding[] {
  const { environment, compute } = input.plan.spec;
  const found: OracleFinding[] = [];
  const deny = (clause: string, path: string, observed: unknown, limit: unknown) =>
    found.push({ clause, level: "deny", path, observed, limit });

  if (environment === "development" && compute.instanceType !== "ml.m5.large")
    deny("AO-1", TYPE, compute.instanceType, "ml.m5.large");
  if (environment === "staging" && !["ml.m5.large", "ml.m5.xlarge"].includes(compute.instanceType))
    deny("AO-2", TYPE, compute.instanceType, ["ml.m5.large", "ml.m5.xlarge"]);
  if (environment === "production") {
    if (compute.instanceCount < 2) deny("AO-4", COUNT, compute.instanceCount, 2);
    const approved = input.settings.approvedProductionTypes;
    const unpriced = priceMicro(input, compute.instanceType) === undefined;
    if (unpriced || !approved.includes(compute.instanceType))
      deny("AO-11", TYPE, compute.instanceType, approved.length > 0 ? approved : null);
  }
  return found;
}

/** The clause under which an environment's money is reported: AO-5, AO-6, and CP-2 where no environment cap exists. */
function moneyClause(plan: Plan): "AO-5" | "AO-6" | "CP-2" {
  const byEnvironment = { development: "CP-2", staging: "AO-5", production: "AO-6" } as const;
  return byEnvironment[plan.spec.environment];
}

const ENVIRONMENT_CAP_USD = { development: undefined, staging: 15, production: 50 } as const;
const GPU_CAP_USD = 100;

/** Settlements 1 to 4. */
function caps(input: DecideInput): OracleFinding[] {
  const { environment, compute, budget } = input.plan.spec;
  const clause = moneyClause(input.plan);
  const price = priceMicro(input, compute.instanceType);
  if (price === undefined) {
    // In production the unknown price is AO-11's.
    if (environment === "production") return [];
    return [{ clause, level: "deny", path: TYPE, observed: compute.instanceType, limit: null }];
  }
  const cost = price * compute.instanceCount;
  const sum = (input.facts.environmentMicroUsdPerHour ?? 0) + Math.max(cost, input.facts.endpointMicroUsdPerHour ?? 0);

  const found: OracleFinding[] = [];
  // Reading of "the strictest wins, and the finding says which cap bound": every cap that is broken has its finding.
  const breaks = (which: string, observedMicro: number, limit: number) =>
    found.push({ clause: which, level: "deny", path: COUNT, observed: observedMicro / 1e6, limit });
  const environmentCap = ENVIRONMENT_CAP_USD[environment];
  if (environmentCap !== undefined && sum > environmentCap * 1e6) breaks(clause, sum, environmentCap);
  // What another runtime may cost is not known before it is built.
  if (isGpu(input.plan) && cost >= GPU_CAP_USD * 1e6) breaks("CP-2", cost, GPU_CAP_USD);
  const own = budget?.maxUsdPerHour;
  // Reading: money is told in whole micro-dollars, so a cap between two of them is told as the lower one.
  if (own !== undefined && cost / 1e6 > own) breaks(clause, cost, wholeMicros(own) / 1e6);
  return found;
}

function wholeMicros(usd: number): number {
  let micros = Math.ceil(usd * 1e6) + 1;
  while (micros / 1e6 > usd) micros -= 1;
  return micros;
}

function isGpu(plan: Plan): boolean {
  return runtimeOf(plan) === "gpu";
}

/** Settlement 13: `auto` with a workload that only another runtime can compute asks for that runtime. */
function runtimeOf({ spec }: Plan): "gpu" | "quantum" | "hybrid" {
  if (spec.runtime !== "auto") return spec.runtime;
  if (spec.workload.kind === "quantum") return "quantum";
  return spec.workload.kind === "mixed" ? "hybrid" : "gpu";
}

/** Settlement 4: the peak above a cap is advice, told where the steady cost itself is within that cap. */
function peaks(input: DecideInput): OracleFinding[] {
  const { plan } = input;
  const price = priceMicro(input, plan.spec.compute.instanceType);
  if (price === undefined) return [];
  const cost = price * plan.spec.compute.instanceCount;
  const running = input.facts.endpointMicroUsdPerHour ?? 0;
  const others = input.facts.environmentMicroUsdPerHour ?? 0;
  const found: OracleFinding[] = [];
  const advise = (clause: string, observedMicro: number, limit: number) =>
    found.push({ clause, level: "advise", path: COUNT, observed: observedMicro / 1e6, limit });
  const cap = ENVIRONMENT_CAP_USD[plan.spec.environment];
  const peak = others + cost + running;
  if (cap !== undefined && others + Math.max(cost, running) <= cap * 1e6 && peak > cap * 1e6)
    advise(moneyClause(plan), peak, cap);
  if (isGpu(plan) && cost < GPU_CAP_USD * 1e6 && cost + running >= GPU_CAP_USD * 1e6)
    advise("CP-2", cost + running, GPU_CAP_USD);
  return found;
}

/** AO-8, AO-9, CP-12: what the plan must say. */
function shape(input: DecideInput): OracleFinding[] {
  const { spec } = input.plan;
  const found: OracleFinding[] = [];
  const alarms = spec.rollback.alarms;
  if (!ROLLBACK_ALARMS.every((alarm) => alarms?.includes(alarm)))
    found.push({
      clause: "AO-8",
      level: "deny",
      path: "/spec/rollback/alarms",
      observed: alarms?.length ? alarms : null,
      limit: ROLLBACK_ALARMS,
    });
  const parts = monitorParts(input.plan);
  if (spec.environment === "production" && parts.length < MONITOR_PARTS.length)
    found.push({
      clause: "AO-9",
      level: "deny",
      path: "/spec/monitor",
      observed: parts.length > 0 ? parts : null,
      limit: MONITOR_PARTS,
    });
  if (!spec.rollback.onHealthCheckFailure)
    found.push({
      clause: "CP-12",
      level: "deny",
      path: "/spec/rollback/onHealthCheckFailure",
      observed: false,
      limit: true,
    });
  return found;
}

const MONITOR_PARTS = ["baseline", "dataDrift", "modelQuality", "bias"];

/**
 * A baseline and the three alarms. Reading: thresholds have documented defaults, so `dataDrift: {}` is whole; a label
 * and a facet cannot be invented, so quality without a label and bias without a facet watch nothing and are not there.
 */
function monitorParts(plan: Plan): string[] {
  const monitor = plan.spec.monitor;
  return MONITOR_PARTS.filter((part) => {
    if (part === "baseline") return monitor?.baseline !== undefined;
    if (part === "dataDrift") return monitor?.dataDrift !== undefined;
    return isNamed(part === "modelQuality" ? monitor?.modelQuality?.["label"] : monitor?.bias?.["facet"]);
  });
}

function isNamed(value: unknown): boolean {
  return typeof value === "string" && value.trim() !== "";
}

/** Settlement 13. */
function runtimes(plan: Plan): OracleFinding[] {
  const runtime = runtimeOf(plan);
  if (runtime === "quantum")
    return [{ clause: "CP-3", level: "deny", path: "/spec/runtime", observed: "quantum", limit: null }];
  if (runtime === "hybrid")
    return [{ clause: "CP-4", level: "deny", path: "/spec/runtime", observed: "hybrid", limit: null }];
  return [];
}

/** P5 and P7: what is asked of the server's records. A half-open breaker lets its one trial through. */
function facts({ facts: known }: DecideInput): OracleFinding[] {
  const found: OracleFinding[] = [];
  if (known.namesAreOwn === false || known.unknownNames?.length)
    found.push({
      clause: "P5",
      level: "deny",
      path: null,
      observed: known.unknownNames?.length ? known.unknownNames : null,
      limit: null,
    });
  if (known.breaker?.state === "open")
    found.push({
      clause: "P7",
      level: "deny",
      path: null,
      observed: known.breaker.failures,
      limit: known.breaker.limit,
    });
  return found;
}

function advice({ plan, facts: known }: DecideInput): OracleFinding[] {
  const { environment, compute, rollout, dryRun } = plan.spec;
  const found: OracleFinding[] = [];
  const say = (level: Level, clause: string, path: string | null, observed: unknown, limit: unknown) =>
    found.push({ clause, level, path, observed, limit });
  const advise = say.bind(undefined, "advise");
  if (environment !== "production" && compute.instanceCount > 1) advise("AO-10", COUNT, compute.instanceCount, 1);
  // Settlement 8; P6 is strict, and a deadline of 600 s is the default that nobody is warned of.
  if (rollout.deadlineSeconds > 600) advise("P6", "/spec/rollout/deadlineSeconds", rollout.deadlineSeconds, 600);
  const bakes = { "all-at-once": 1, canary: 2, linear: Math.ceil(100 / rollout.stepPercent) }[rollout.strategy];
  const bakedSeconds = bakes * rollout.bakeSeconds;
  if (bakedSeconds >= rollout.deadlineSeconds)
    advise("P6", "/spec/rollout/bakeSeconds", bakedSeconds, rollout.deadlineSeconds);
  if (environment === "production" && dryRun) {
    advise("CP-9", "/spec/dryRun", true, false);
    advise("P3", "/spec/dryRun", true, false);
  }
  if (known.gate !== "propose") return found;
  if (known.breaker?.state === "half-open") advise("P7", null, known.breaker.failures, known.breaker.limit);
  // What the program does for every plan is told once, when the plan comes in.
  for (const clause of ["AO-13", "CP-8"]) say("require", clause, null, null, null);
  return found;
}

/** Offline nobody knows the environment's sum, other tenants' names or the breaker. */
function unchecked({ plan, facts: known }: DecideInput): string[] {
  if (known.source === "server") return [];
  const sums = {
    development: [],
    staging: ["AO-5: the environment's sum"],
    production: ["AO-6: the environment's sum"],
  };
  return [...sums[plan.spec.environment], "P5", "P7"];
}
