import { describe, expect, it } from "vitest";
import { differenceInterval, rankInterval, rateInterval } from "./rate-interval.ts";
import { seeded } from "./testing/seeded.ts";

describe("where a share lies", () => {
  it("is anywhere before anything was counted", () => {
    expect(rateInterval({ bad: 0, seen: 0 }, 0.05)).toEqual({ low: 0, high: 1 });
  });

  it("is where the mixture's ratio says: none of one, redone by hand", () => {
    // B(1/2, 3/2) / B(1/2, 1/2) = 1/2, so outside where (1 - p) <= 0.05 / 2.
    expect(rateInterval({ bad: 0, seen: 1 }, 0.05).high).toBeCloseTo(0.975, 9);
    expect(rateInterval({ bad: 1, seen: 1 }, 0.05)).toMatchObject({ high: 1, low: expect.closeTo(0.025, 9) });
  });

  it("holds the true share at every look in at least 95 % of sequences", () => {
    let missed = 0;
    for (let seed = 1; seed <= 200; seed += 1) {
      const random = seeded(seed);
      let bad = 0;
      for (let seen = 1; seen <= 400; seen += 1) {
        if (random() < 0.08) bad += 1;
        if (seen % 5 > 0) continue;
        const { low, high } = rateInterval({ bad, seen }, 0.05);
        if (low <= 0.08 && 0.08 <= high) continue;
        missed += 1;
        break;
      }
    }
    expect(missed).toBeLessThanOrEqual(18);
  });

  it("holds the difference of two shares, wider than either", () => {
    const { low, high } = differenceInterval(
      { candidate: { bad: 12, seen: 200 }, stable: { bad: 20, seen: 2000 } },
      0.05,
    );
    expect(low).toBeLessThan(0.05);
    expect(high).toBeGreaterThan(0.05);
  });

  it("bounds a quantile by ranks on both sides of it, or not at all", () => {
    expect(rankInterval({ level: 0.9, seen: 20 }, 0.05)).toBeNull();
    const ranks = rankInterval({ level: 0.9, seen: 2000 }, 0.05);
    expect(ranks?.low).toBeLessThan(0.9);
    expect(ranks?.low).toBeGreaterThan(0.86);
    expect(ranks?.high).toBeGreaterThan(0.9);
    expect(ranks?.high).toBeLessThan(0.94);
  });
});
