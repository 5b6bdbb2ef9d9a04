import type { Rollout } from "./rollout.ts";

/**
 * The shares of traffic, in percent, that the candidate bakes at, in order; the last is always 100. An endpoint's first
 * version has nothing to share traffic with and goes to 100 at once, and so does a restore: somebody flees from what
 * serves now, to what served before. A linear step that does not divide 100 has a
 * shorter last one: 30 gives 30, 60, 90, 100. Source of the count: settlement 8 of the clauses (all-at-once 1, canary
 * 2, linear ceil(100 / stepPercent)); a canary of 100 percent is all at once.
 */
export function bakePercents(rollout: Pick<Rollout, "plan" | "hasStable" | "restores">): number[] {
  const { strategy, stepPercent } = rollout.plan.spec.rollout;
  if (!rollout.hasStable || rollout.restores !== undefined || strategy === "all-at-once" || stepPercent >= 100)
    return [100];
  if (strategy === "canary") return [stepPercent, 100];
  const bakes = Math.ceil(100 / stepPercent);
  return Array.from({ length: bakes }, (_, index) => Math.min(100, stepPercent * (index + 1)));
}
