import { isDeepStrictEqual } from "node:util";
import type { Plan } from "../plan/schema.ts";
import { decide } from "./decide.ts";
import type { Decision, PolicySettings, PriceTable } from "./decision.ts";
import type { PolicySet } from "./policy.ts";
import type { PolicyData } from "./policy-data.ts";

/** A setting or a price that differs; null where it was or is not there. */
export interface DataChange {
  name: string;
  before: unknown;
  after: unknown;
}

/** What changes beside the policies: settings by their names, and prices as `price of TYPE` in USD per hour. */
export function diffPolicyData(before: PolicyData, after: PolicyData): DataChange[] {
  const prices = (table: PriceTable) =>
    Object.fromEntries(Object.entries(table.usdPerHour).map(([type, usd]) => [`price of ${type}`, usd]));
  const flat = (data: PolicyData) =>
    new Map<string, unknown>([...settingsOf(data.settings), ...Object.entries(prices(data.prices))]);
  const old = flat(before);
  const now = flat(after);
  return [...new Set([...old.keys(), ...now.keys()])]
    .map((name) => ({ name, before: old.get(name) ?? null, after: now.get(name) ?? null }))
    .filter((change) => !isDeepStrictEqual(change.before, change.after));
}

function settingsOf({ approvedProductionTypes, breaker }: PolicySettings): [string, unknown][] {
  return [
    ["approvedProductionTypes", approvedProductionTypes],
    ...Object.entries(breaker).map(([name, value]): [string, unknown] => [`breaker.${name}`, value]),
  ];
}

export interface PolicyVersionParts extends PolicyData {
  set: PolicySet;
}

export interface RealPlan {
  plan: Plan;
  planDigest: string;
  /** Whose plan it was. */
  rollout: string;
}

/** A plan that somebody proposed and that the change would decide differently. */
export interface ChangedPlan {
  rollout: string;
  planDigest: string;
  /** `{environment}-{name}`. */
  endpoint: string;
  before: Decision["decision"];
  after: Decision["decision"];
  /** Clauses that speak after and did not before, and the other way round. */
  gained: string[];
  lost: string[];
}

/**
 * Which of a tenant's real plans a change decides differently, when both versions know of them what the plan itself says.
 * What runs beside a plan, and what was proved of it, is as unknown to the one as to the other.
 */
export function changedPlans(
  before: PolicyVersionParts,
  after: PolicyVersionParts,
  plans: readonly RealPlan[],
): ChangedPlan[] {
  return plans.flatMap((real) => {
    const old = askOf(before, real);
    const now = askOf(after, real);
    const gained = now.clauses.filter((clause) => !old.clauses.includes(clause));
    const lost = old.clauses.filter((clause) => !now.clauses.includes(clause));
    if (old.decision === now.decision && gained.length === 0 && lost.length === 0) return [];
    const { rollout, planDigest, plan } = real;
    const endpoint = `${plan.spec.environment}-${plan.metadata.name}`;
    return [{ rollout, planDigest, endpoint, before: old.decision, after: now.decision, gained, lost }];
  });
}

function askOf({ set, settings, prices }: PolicyVersionParts, { plan, planDigest }: RealPlan) {
  const facts = { gate: "propose", source: "shipped", principal: { kind: "human" } } as const;
  const { decision, findings } = decide(set, { plan, planDigest, facts, prices, settings });
  return { decision, clauses: [...new Set(findings.map(({ clause }) => clause))] };
}
