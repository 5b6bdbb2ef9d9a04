import type { Plan } from "../plan/schema.ts";
import type { Cost, Facts, PriceTable } from "../policy/decision.ts";
import { priceOf, toUsd } from "./price-table.ts";

/** What a plan costs and what it does to its environment's sum, in micro-USD per hour. */
export interface PlanCost {
  /** The steady cost; undefined when the instance type has no known price, and then so is everything else. */
  plan?: number;
  /** While the old and the new fleet both run. */
  peak?: number;
  /** The environment with this plan in the place of its own endpoint; the larger of the two counts while both run. */
  environment?: number;
  environmentPeak?: number;
}

/** Source: settlements 1 and 4 of the clauses. Offline the environment is the plan alone, and `unchecked` says so. */
export function planCost(plan: Plan, prices: PriceTable, facts: Facts): PlanCost {
  const price = priceOf(prices, plan.spec.compute.instanceType);
  if (price === undefined) return {};
  const cost = price * plan.spec.compute.instanceCount;
  const running = facts.endpointMicroUsdPerHour ?? 0;
  const others = facts.environmentMicroUsdPerHour ?? 0;
  return {
    plan: cost,
    peak: cost + running,
    environment: others + Math.max(cost, running),
    environmentPeak: others + cost + running,
  };
}

/** The cost as a decision shows it. */
export function shownCost(plan: Plan, prices: PriceTable, cost: PlanCost): Cost {
  return {
    usdPerHour: cost.plan === undefined ? null : toUsd(cost.plan),
    peakUsdPerHour: cost.peak === undefined ? null : toUsd(cost.peak),
    notional: plan.spec.target === "local" || plan.spec.target === "simulated",
    asOf: prices.asOf,
    source: prices.source,
  };
}
