import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Strategy } from "../plan/schema.ts";
import { bakePercents } from "./bake-percents.ts";
import { testPlan } from "./testing/rollouts.ts";

describe("bakePercents", () => {
  it.each([
    ["all-at-once", 10, true, [100]],
    ["canary", 10, true, [10, 100]],
    ["canary", 100, true, [100]],
    ["linear", 25, true, [25, 50, 75, 100]],
    ["linear", 30, true, [30, 60, 90, 100]],
    ["linear", 99, true, [99, 100]],
    ["linear", 100, true, [100]],
    ["linear", 25, false, [100]],
    ["canary", 10, false, [100]],
  ] as [Strategy, number, boolean, number[]][])(
    "%s by %i, stable %s: %j",
    (strategy, stepPercent, hasStable, percents) => {
      expect(bakePercents({ plan: testPlan({ strategy, stepPercent }), hasStable })).toEqual(percents);
    },
  );

  it("rises to exactly 100 in as many bakes as settlement 8 counts", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), (stepPercent) => {
        const percents = bakePercents({ plan: testPlan({ strategy: "linear", stepPercent }), hasStable: true });
        expect(percents).toHaveLength(Math.ceil(100 / stepPercent));
        expect(percents.at(-1)).toBe(100);
        expect(percents.every((percent, index) => percent > (percents[index - 1] ?? 0))).toBe(true);
      }),
    );
  });
});
