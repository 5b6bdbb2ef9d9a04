import type { Plan } from "../plan/schema.ts";
import { priceOf, toMicroUsd } from "../pricing/price-table.ts";
import { isMoney } from "./attributes.ts";
import type { DecideInput } from "./decision.ts";
import { limitOf } from "./findings.ts";
import { gatherAttributes } from "./gather-attributes.ts";
import type { Policy, PolicySet } from "./policy.ts";

type Compute = Plan["spec"]["compute"];

/** The schema's own bounds of a count. */
const COUNT_MAX = 10_000;

/**
 * Types and counts worth asking Cedar about, the most wanted first: the type stays unless a clause is about it, and the
 * count that is nearest to the one asked for comes first. Nothing here decides.
 */
export function* computeCandidates(set: PolicySet, input: DecideInput, denials: Policy[]): Generator<Compute> {
  for (const instanceType of typeCandidates(input, denials)) {
    for (const instanceCount of countCandidates(set, input, instanceType)) yield { instanceType, instanceCount };
  }
}

function typeCandidates(input: DecideInput, denials: Policy[]): string[] {
  const { plan, prices } = input;
  const asked = plan.spec.compute.instanceType;
  const price = (type: string) => priceOf(prices, type) ?? Number.POSITIVE_INFINITY;
  const isPriced = (type: string) => priceOf(prices, type) !== undefined;
  const cheapestFirst = (types: string[]) => types.filter(isPriced).sort((a, b) => price(a) - price(b));
  const nearestFirst = (types: string[]) =>
    // Sorting is stable: of two types as near, the cheaper comes first, and without a price the cheapest of all.
    isPriced(asked)
      ? cheapestFirst(types).sort((a, b) => Math.abs(price(a) - price(asked)) - Math.abs(price(b) - price(asked)))
      : cheapestFirst(types);
  const listOf = (policy: Policy) => [limitOf(policy, gatherAttributes(input, "listing"))].flat().map(String);
  const wanted = (fix: Policy["fix"]) => denials.filter((policy) => policy.fix === fix);
  const candidates = [
    ...wanted("nearest-type").flatMap((policy) => nearestFirst(listOf(policy))),
    ...wanted("cheapest-type").flatMap((policy) => cheapestFirst(listOf(policy))),
    ...(wanted("priced-type").length > 0 ? cheapestFirst(Object.keys(prices.usdPerHour)) : []),
    asked,
  ];
  return [...new Set(candidates)];
}

/** The count asked for, the least that some clause wants, and the most that each cap leaves room for. */
function countCandidates(set: PolicySet, input: DecideInput, instanceType: string): number[] {
  const asked = input.plan.spec.compute.instanceCount;
  const least: number[] = [];
  const most: number[] = [];
  const attributes = gatherAttributes(input, "listing");
  for (const policy of set.policies.values()) {
    const limit = limitOf(policy, attributes);
    if (typeof limit !== "number") continue;
    // A limit may be inclusive or strict, and only Cedar knows: both sides of it are asked about.
    if (policy.fix === "count-at-least") least.push(Math.ceil(limit), Math.floor(limit) + 1);
    if (policy.fix === "count-that-fits") {
      const fitting = roomFor(policy, limit, input, instanceType);
      most.push(fitting, fitting - 1);
    }
  }
  const highest = Math.max(asked, ...least);
  const counts = [asked, 1, ...least, ...most].filter((count) => count >= 1 && count <= Math.min(highest, COUNT_MAX));
  return [...new Set(counts)].sort((a, b) => Math.abs(a - asked) - Math.abs(b - asked) || b - a);
}

/** How many instances a cap leaves room for, taken as inclusive. */
function roomFor(policy: Policy, limit: number, { prices, facts }: DecideInput, instanceType: string): number {
  if (!isMoney(policy.observed)) return Math.floor(limit);
  const price = priceOf(prices, instanceType);
  if (price === undefined) return 0;
  const others = policy.observed?.startsWith("environment") ? (facts.environmentMicroUsdPerHour ?? 0) : 0;
  return Math.floor((toMicroUsd(limit) - others) / price);
}
