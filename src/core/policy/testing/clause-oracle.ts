import type { Plan } from "../../plan/schema.ts";
import type { DecideInput, EvidenceKind, Gate, Level, Obligation } from "../decision.ts";

/**
 * A second reading of the clauses, written from the documents alone and as plainly as can be, to hold the policies
 * against. It shares types with the product and not one line of its reasoning: what both say alike was read alike
 * twice. Where the documents leave a choice, the reading that was taken stands in a comment that begins "Reading".
 */

export interface OracleFinding {
  clause: string;
  level: Level;
  observed: unknown;
  limit: unknown;
  path: string | null;
}

export interface OracleVerdict {
  decision: "deny" | "needs-approval" | "allow";
  risk: "low" | "medium" | "high";
  verification: "basic" | "enhanced" | "full";
  runtime: "gpu" | "quantum" | "hybrid";
  findings: OracleFinding[];
  obligations: Obligation[];
  /** Names of the obligations that must be met by this gate and are not. */
  due: Obligation[];
  unchecked: string[];
}

const TYPE = "/spec/compute/instanceType";
const COUNT = "/spec/compute/instanceCount";
const OWN_CAP = "/spec/budget/maxUsdPerHour";
export const ROLLBACK_ALARMS = ["ModelMonitorAlarm", "DataDriftAlarm"];

/** The gates of each clause that can deny, as the table of clauses gives them. *pre-provision* repeats *verify*. */
const DENIED_AT: Record<string, Gate[]> = {
  "AO-1": ["propose", "pre-provision"],
  "AO-2": ["propose", "pre-provision"],
  "AO-4": ["propose", "pre-provision"],
  "AO-5": ["propose", "pre-provision"],
  "AO-6": ["propose", "pre-provision"],
  "AO-8": ["propose", "pre-provision"],
  "AO-9": ["propose", "pre-provision"],
  "AO-11": ["propose", "pre-provision"],
  "CP-2": ["propose", "pre-provision"],
  "CP-3": ["propose", "pre-provision"],
  "CP-4": ["propose"],
  "CP-12": ["propose", "run"],
  P5: ["propose", "verify", "pre-provision", "run"],
  P7: ["propose", "run"],
};

export function isDeniedAt(clause: string, gate: Gate): boolean {
  return DENIED_AT[clause]?.includes(gate) ?? false;
}

/** Whole micro-dollars, so that no sum of prices is off by a rounding. */
function priceMicro(input: DecideInput, instanceType: string): number | undefined {
  if (!Object.hasOwn(input.prices.usdPerHour, instanceType)) return undefined;
  const usd = input.prices.usdPerHour[instanceType];
  return usd === undefined ? undefined : Math.round(usd * 1e6);
}

export function oracle(input: DecideInput): OracleVerdict {
  const { plan, facts } = input;
  const environment = plan.spec.environment;
  const findings = [...denials(input), ...peaks(input), ...advice(plan)];
  const obligations = [...approvals(input), ...evidence(input), ...snapshots(input)];
  const approvalNeeded = obligations.some((each) => each.kind === "approval");
  const denied = findings.some((each) => each.level === "deny");
  return {
    decision: denied ? "deny" : approvalNeeded ? "needs-approval" : "allow",
    risk: { development: "low", staging: "medium", production: "high" }[environment] as OracleVerdict["risk"],
    verification: { development: "basic", staging: "enhanced", production: "full" }[
      environment
    ] as OracleVerdict["verification"],
    runtime: plan.spec.runtime === "auto" ? "gpu" : plan.spec.runtime,
    findings,
    obligations,
    due: obligations.filter((each) => each.status === "missing" && isDue(each, facts.gate)),
    unchecked: unchecked(input),
  };
}

/** CP-11 is asked just before the first effect; everything else after the approvals, and again then. */
function isDue(obligation: Obligation, gate: Gate): boolean {
  if (obligation.kind === "snapshot") return gate === "pre-provision";
  return gate === "verify" || gate === "pre-provision";
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
    if (unpriced || !approved.includes(compute.instanceType)) deny("AO-11", TYPE, compute.instanceType, approved);
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
  const { plan } = input;
  const { compute } = plan.spec;
  const clause = moneyClause(plan);
  const price = priceMicro(input, compute.instanceType);
  if (price === undefined) {
    if (plan.spec.environment === "production") return [];
    return [
      {
        clause,
        level: "deny",
        path: TYPE,
        observed: null,
        limit: ENVIRONMENT_CAP_USD[plan.spec.environment] ?? GPU_CAP_USD,
      },
    ];
  }
  const cost = price * compute.instanceCount;
  const others = input.facts.environmentMicroUsdPerHour ?? 0;
  const running = input.facts.endpointMicroUsdPerHour ?? 0;
  const sum = others + Math.max(cost, running);

  const found: OracleFinding[] = [];
  const deny = (which: string, path: string, observedMicro: number, limit: number) =>
    found.push({ clause: which, level: "deny", path, observed: observedMicro / 1e6, limit });
  const environmentCap = ENVIRONMENT_CAP_USD[plan.spec.environment];
  if (environmentCap !== undefined && sum > environmentCap * 1e6) deny(clause, COUNT, sum, environmentCap);
  const own = plan.spec.budget?.maxUsdPerHour;
  if (own !== undefined && cost / 1e6 > own) deny(clause, OWN_CAP, cost, own);
  // The standard runtime's cap; what the others cost is not known before they are built.
  if (isGpu(plan) && cost >= GPU_CAP_USD * 1e6) deny("CP-2", COUNT, cost, GPU_CAP_USD);
  return found;
}

function isGpu(plan: Plan): boolean {
  return plan.spec.runtime === "auto" || plan.spec.runtime === "gpu";
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
      observed: alarms ?? null,
      limit: ROLLBACK_ALARMS,
    });
  if (spec.environment === "production" && !isMonitored(input.plan))
    found.push({ clause: "AO-9", level: "deny", path: "/spec/monitor", observed: null, limit: null });
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

/**
 * A baseline and the three alarms. Reading: thresholds have documented defaults, so `dataDrift: {}` is whole; a label
 * and a facet cannot be invented, so quality without a label and bias without a facet watch nothing and are not there.
 */
function isMonitored(plan: Plan): boolean {
  const monitor = plan.spec.monitor;
  if (monitor?.baseline === undefined || monitor.dataDrift === undefined) return false;
  return isNamed(monitor.modelQuality?.["label"]) && isNamed(monitor.bias?.["facet"]);
}

function isNamed(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

/** Settlement 13. */
function runtimes(plan: Plan): OracleFinding[] {
  const { runtime } = plan.spec;
  if (runtime === "quantum")
    return [{ clause: "CP-3", level: "deny", path: "/spec/runtime", observed: "quantum", limit: "gpu" }];
  if (runtime === "hybrid")
    return [{ clause: "CP-4", level: "deny", path: "/spec/runtime", observed: "hybrid", limit: "gpu" }];
  return [];
}

/** P5 and P7: what is asked of the server's records. A half-open breaker lets its one trial through. */
function facts({ facts: known }: DecideInput): OracleFinding[] {
  const found: OracleFinding[] = [];
  if (known.namesAreOwn === false)
    found.push({ clause: "P5", level: "deny", path: null, observed: known.unknownNames ?? null, limit: null });
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

function advice(plan: Plan): OracleFinding[] {
  const { environment, compute, rollout } = plan.spec;
  const found: OracleFinding[] = [];
  const advise = (clause: string, path: string, observed: unknown, limit: unknown) =>
    found.push({ clause, level: "advise", path, observed, limit });
  if (environment !== "production" && compute.instanceCount > 1) advise("AO-10", COUNT, compute.instanceCount, 1);
  if (rollout.deadlineSeconds > 600) advise("P6", "/spec/rollout/deadlineSeconds", rollout.deadlineSeconds, 600);
  const bakes = { "all-at-once": 1, canary: 2, linear: Math.ceil(100 / rollout.stepPercent) }[rollout.strategy];
  const bakedSeconds = bakes * rollout.bakeSeconds;
  if (bakedSeconds >= rollout.deadlineSeconds)
    advise("P6", "/spec/rollout/bakeSeconds", bakedSeconds, rollout.deadlineSeconds);
  return found;
}

/** AO-3, AO-7 with CP-1, and AO-12: who must agree. Statuses are worked out for all of them together. */
function approvals(input: DecideInput): Obligation[] {
  const { plan } = input;
  const { environment, compute } = plan.spec;
  const needed: Obligation[] = [];
  const need = (role: "approver" | "budget-owner", strong: boolean, clauses: string[]) =>
    needed.push({ kind: "approval", role, count: 1, mfa: strong, signed: strong, clauses, status: "missing" });
  if (environment === "staging" && compute.instanceCount >= 3) need("approver", false, ["AO-3"]);
  if (environment === "production") {
    need("approver", true, ["AO-7", "CP-1"]);
    const price = priceMicro(input, compute.instanceType);
    // Reading: the plan's own steady cost (settlement 4), not the environment's sum, which settlement 1 names for
    // AO-5 and AO-6 alone.
    if (price !== undefined && price * compute.instanceCount > 30e6) need("budget-owner", true, ["AO-12"]);
  }
  return withApprovalStatus(input, needed);
}

type Given = NonNullable<DecideInput["facts"]["approvals"]>[number];

/** Settlement 5: two approvals of one plan are two people. Met are as many obligations as people can be found for. */
function withApprovalStatus(input: DecideInput, needed: Obligation[]): Obligation[] {
  if (input.facts.source !== "server") return needed.map((each) => ({ ...each, status: "unchecked" }));
  const given = input.facts.approvals ?? [];
  let best: boolean[] = needed.map(() => false);
  const tryFrom = (index: number, people: string[], met: boolean[]) => {
    if (index === needed.length) {
      if (met.filter(Boolean).length > best.filter(Boolean).length) best = met;
      return;
    }
    const obligation = needed[index];
    const fitting = given.filter(
      (each) => obligation !== undefined && fits(each, obligation) && !people.includes(each.approver),
    );
    for (const each of fitting) tryFrom(index + 1, [...people, each.approver], [...met, true]);
    tryFrom(index + 1, people, [...met, false]);
  };
  tryFrom(0, [], []);
  return needed.map((each, index) => ({ ...each, status: best[index] === true ? "met" : "missing" }));
}

function fits(given: Given, obligation: Obligation): boolean {
  if (obligation.kind !== "approval" || given.role !== obligation.role) return false;
  return (given.mfa || !obligation.mfa) && (given.signed || !obligation.signed);
}

/** Settlement 7, level by level; an item that no clause of its own asks for in that environment is CP-1's. */
function evidence(input: DecideInput): Obligation[] {
  const { environment, model } = input.plan.spec;
  const asked: [EvidenceKind, string][] = [
    ["tests", "CP-5"],
    ["encryption", "AO-14"],
  ];
  if (model.image !== undefined) asked.push(["image-signature", "CP-6"]);
  if (environment !== "development") {
    asked.push(["manifest-signature", environment === "production" ? "P2" : "CP-1"]);
    asked.push(["artifact-digest", "CP-1"]);
  }
  if (environment === "production") {
    asked.push(["approver-signature", "CP-10"], ["provenance", "CP-1"], ["baseline", "CP-1"], ["dry-run", "CP-1"]);
  }
  return asked.map(([of, clause]) => ({ kind: "evidence", of, clauses: [clause], status: evidenceStatus(input, of) }));
}

function evidenceStatus({ facts: known }: DecideInput, of: EvidenceKind): Obligation["status"] {
  if (known.source !== "server") return "unchecked";
  return known.evidence?.[of] === true ? "met" : "missing";
}

function snapshots({ plan, facts: known }: DecideInput): Obligation[] {
  if (plan.spec.environment === "development") return [];
  const met = known.snapshot === true ? "met" : "missing";
  return [{ kind: "snapshot", clauses: ["CP-11"], status: known.source === "server" ? met : "unchecked" }];
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
