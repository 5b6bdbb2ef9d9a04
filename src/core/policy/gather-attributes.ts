import type { Plan, Runtime } from "../plan/schema.ts";
import { type PlanCost, planCost } from "../pricing/plan-cost.ts";
import { wholeMicroUsdWithin } from "../pricing/price-table.ts";
import type { Attributes } from "./attributes.ts";
import type { DecideInput, Facts } from "./decision.ts";

/**
 * What is asked: `listing` asks as if nothing had been verified, approved or taken, and so learns everything that is
 * due; `all` asks what of it is still missing; `now` asks what is missing of that which this gate must already see.
 */
export type Asking = "listing" | "all" | "now";

export function gatherAttributes(input: DecideInput, asking: Asking): Attributes {
  const { plan, facts, settings, prices } = input;
  const { spec } = plan;
  return {
    gate: facts.gate,
    environment: spec.environment,
    target: spec.target,
    runtime: chosenRuntime(plan),
    workload: spec.workload.kind,
    strategy: spec.rollout.strategy,
    labels: Object.entries(plan.metadata.labels ?? {}).map(([name, value]) => `${name}=${value}`),
    modelName: spec.model.name,
    modelVersion: spec.model.version,
    imageNamed: spec.model.image !== undefined,
    dryRun: spec.dryRun,
    instanceType: spec.compute.instanceType,
    instanceCount: spec.compute.instanceCount,
    approvedTypes: settings.approvedProductionTypes,
    ...money(planCost(plan, prices, facts), spec.budget?.maxUsdPerHour),
    alarms: spec.rollback.alarms ?? [],
    onHealthCheckFailure: spec.rollback.onHealthCheckFailure,
    monitorParts: monitorParts(plan),
    stepPercent: spec.rollout.stepPercent,
    deadlineSeconds: spec.rollout.deadlineSeconds,
    bakeSecondsTotal: bakes(plan) * spec.rollout.bakeSeconds,
    namesAreOwn: facts.namesAreOwn ?? true,
    unknownNames: facts.unknownNames ?? [],
    breaker: facts.breaker?.state ?? "closed",
    breakerFailures: facts.breaker?.failures ?? 0,
    breakerLimit: facts.breaker?.limit ?? settings.breaker.failures,
    restore: facts.restore ?? false,
    ...proofs(facts, asking),
  };
}

const RUNTIME_OF_WORKLOAD = { inference: "gpu", quantum: "quantum", mixed: "hybrid" } as const;

/** Until the router is there, `auto` is the runtime that the workload's kind is for. */
export function chosenRuntime({ spec }: Plan): Runtime {
  return spec.runtime === "auto" ? RUNTIME_OF_WORKLOAD[spec.workload.kind] : spec.runtime;
}

/** How many bakes a rollout has. Source: settlement 8 of the clauses. */
export function bakes(plan: Plan): number {
  const { strategy, stepPercent } = plan.spec.rollout;
  if (strategy === "all-at-once") return 1;
  return strategy === "canary" ? 2 : Math.ceil(100 / stepPercent);
}

type Money = Pick<
  Attributes,
  | "costMicroUsdPerHour"
  | "environmentMicroUsdPerHour"
  | "peakMicroUsdPerHour"
  | "environmentPeakMicroUsdPerHour"
  | "ownCapMicroUsdPerHour"
>;

function money(cost: PlanCost, ownCapUsd: number | undefined): Money {
  return {
    ...(cost.plan !== undefined && { costMicroUsdPerHour: cost.plan }),
    ...(cost.environment !== undefined && { environmentMicroUsdPerHour: cost.environment }),
    ...(cost.peak !== undefined && { peakMicroUsdPerHour: cost.peak }),
    ...(cost.environmentPeak !== undefined && { environmentPeakMicroUsdPerHour: cost.environmentPeak }),
    ...(ownCapUsd !== undefined && { ownCapMicroUsdPerHour: wholeMicroUsdWithin(ownCapUsd) }),
  };
}

/** A part counts when it could work: quality is nothing without a label column, bias nothing without a facet. */
function monitorParts(plan: Plan): string[] {
  const monitor = plan.spec.monitor ?? {};
  const parts: string[] = [];
  if (monitor.baseline !== undefined) parts.push("baseline");
  if (monitor.dataDrift !== undefined) parts.push("dataDrift");
  if (isName(monitor.modelQuality?.["label"])) parts.push("modelQuality");
  if (isName(monitor.bias?.["facet"])) parts.push("bias");
  return parts;
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value.trim() !== "";
}

/** Whether `now` asks nothing else than `all`: of what a plan owes only a snapshot may come later than its gate. */
export function isAllDueNow({ gate, snapshot }: Pick<Facts, "gate" | "snapshot">): boolean {
  return snapshot === true || gate === "pre-provision" || gate === "run";
}

type Proofs = Pick<Attributes, "verified" | "approved" | "approvedMfaSigned" | "budgetApproved" | "snapshot">;

function proofs(facts: Facts, asking: Asking): Proofs {
  if (asking === "listing") {
    return { verified: [], approved: false, approvedMfaSigned: false, budgetApproved: false, snapshot: "missing" };
  }
  const snapshotDue = asking === "all" || isAllDueNow(facts);
  return {
    verified: Object.entries(facts.evidence ?? {}).flatMap(([kind, there]) => (there === true ? [kind] : [])),
    ...approvals(facts.approvals ?? []),
    snapshot: facts.snapshot === true ? "verified" : snapshotDue ? "missing" : "not-due",
  };
}

/** The budget owner is another person than the approver, so the two approvals are matched before they count. */
function approvals(given: NonNullable<Facts["approvals"]>): Omit<Proofs, "verified" | "snapshot"> {
  // Who breaks the glass stands for approver and budget owner alike, and only with a signature and MFA.
  if (given.some(({ role, mfa, signed }) => role === "break-glass" && mfa && signed)) {
    return { approved: true, approvedMfaSigned: true, budgetApproved: true };
  }
  const approvers = given.filter(({ role }) => role === "approver");
  const full = approvers.filter(({ mfa, signed }) => mfa && signed);
  const counting = full.length > 0 ? full : approvers;
  const owners = given.filter(({ role, mfa }) => role === "budget-owner" && mfa);
  return {
    approved: approvers.length > 0,
    approvedMfaSigned: full.length > 0,
    budgetApproved: owners.some(
      (owner) => counting.length === 0 || counting.some((a) => a.approver !== owner.approver),
    ),
  };
}
