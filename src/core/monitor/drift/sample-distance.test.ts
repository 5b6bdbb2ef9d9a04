import { describe, expect, test } from "vitest";
import { expectClose, goldens } from "../../../../test/fixtures/statistics/goldens.ts";
import { hashed } from "../statistics/testing/hashed.ts";
import { balancedV, jensenShannon, lInfinity, populationStability, robustDistance } from "./cell-distance.ts";
import {
  kolmogorovSmirnov,
  normedWasserstein,
  quantileDistances,
  quantileEdges,
  sortedDistances,
  sortedSample,
  wassersteinDistance,
} from "./sample-distance.ts";

const sorted = (values: ArrayLike<number>): Float64Array => sortedSample(values).sorted;

describe("distances of samples agree with scipy to 1e-9 of the value", () => {
  for (const { name, ...golden } of goldens.samples)
    test(name, () => {
      const [a, b] = [sorted(golden.baseline), sorted(golden.current)];
      const ours = kolmogorovSmirnov(a, b);
      expectClose(ours.statistic, golden.statistic, "statistic");
      expectClose(ours.pValue, golden.pValue, "chance");
      expect(ours.method).toBe("exact");
      // Of sums that nearly cancel as many digits are left as of the values themselves.
      const scale = Math.max(...[...a, ...b].map(Math.abs));
      expect(Math.abs(wassersteinDistance(a, b) - golden.wasserstein)).toBeLessThanOrEqual(
        Math.max(1e-9 * golden.wasserstein, 1e-15 * scale),
      );
      const normed = normedWasserstein(a, b);
      if (golden.normed === null) expect(normed).toBeNull();
      else expectClose(normed ?? Number.NaN, golden.normed, "normed", name === "huge values" ? 1e-2 : 1e-9);
    });

  test("infinities have an order; the area beside them is infinite where scipy has NaN", () => {
    const { baseline, current, statistic, pValue } = goldens.withInfinities;
    const ours = kolmogorovSmirnov(sorted(baseline), sorted(current));
    expectClose(ours.statistic, statistic, "statistic");
    expectClose(ours.pValue, pValue, "chance");
    expect(wassersteinDistance(sorted(baseline), sorted(current))).toBe(Number.POSITIVE_INFINITY);
    expect(wassersteinDistance(sorted([1, Infinity]), sorted([2, Infinity]))).toBe(0.5);
  });

  test("large samples, and distances over their twenty parts", () => {
    for (const golden of goldens.largeSamples) {
      const a = sorted(hashed(golden.baselineRows, 1).map((number) => number ** 3 * 100));
      const b = sorted(hashed(golden.currentRows, 2).map((number) => number ** 3 * 100 + golden.shift));
      const ours = { ...sortedDistances(a, b), ...quantileDistances(a, b) };
      expectClose(ours.kolmogorovSmirnov, golden.statistic, "statistic");
      expectClose(ours.wasserstein, golden.wasserstein, "wasserstein");
      expectClose(ours.populationStability, golden.psi, "psi");
      expectClose(ours.jensenShannon, golden.jensenShannon, "Jensen-Shannon");
      expectClose(ours.chiSquare.pValue, golden.chiSquare, "chi-square");
    }
  });

  test("Jensen-Shannon and PSI of tables", () => {
    for (const golden of goldens.tables) {
      const { baseline, current } = golden;
      // The root of a sum of differences: of nearly equal shares only half of the digits are left.
      expectClose(jensenShannon(baseline, current), golden.jensenShannon, "Jensen-Shannon", 1e-7);
      if (golden.psi !== undefined) expectClose(populationStability(baseline, current), golden.psi, "psi");
    }
  });
});

describe("at the edges", () => {
  test("missing values are counted and left out", () => {
    expect(sortedSample([3, Number.NaN, -1, Number.NaN])).toEqual({ sorted: Float64Array.of(-1, 3), missing: 2 });
    expect(sortedSample([])).toEqual({ sorted: new Float64Array(), missing: 0 });
  });

  test("an empty sample is at distance 0 from any", () => {
    const none = new Float64Array();
    expect(sortedDistances(none, Float64Array.of(1))).toEqual({ kolmogorovSmirnov: 0, wasserstein: 0 });
    expect(kolmogorovSmirnov(none, none).pValue).toBe(1);
    for (const distance of [populationStability, jensenShannon, lInfinity, balancedV]) {
      expect(distance([0, 0], [1, 2])).toBe(0);
      expect(distance([], [])).toBe(0);
    }
    expect(quantileDistances(none, none).jensenShannon).toBe(0);
  });

  test("samples without a common value are as far apart as can be", () => {
    expect(jensenShannon([5, 0], [0, 900])).toBe(1);
    expect(balancedV([5, 0], [0, 900])).toBe(1);
    expect(lInfinity([5, 0], [0, 900])).toBe(1);
    expect(sortedDistances(Float64Array.of(1, 2), Float64Array.of(3, 4))).toEqual({
      kolmogorovSmirnov: 1,
      wasserstein: 2,
    });
  });

  test("0 and -0 are one value", () => {
    expect(sortedDistances(sorted([0, -0]), sorted([-0])).kolmogorovSmirnov).toBe(0);
  });

  test("PSI counts an empty cell as half a row, so one row in a new cell is little and many are much", () => {
    expect(populationStability([1000, 0], [999, 1])).toBeLessThan(0.001);
    expect(populationStability([1000, 0], [500, 500])).toBeGreaterThan(3);
  });

  test("V weighs both samples alike: a small sample beside a large one is not nearer for that", () => {
    expectClose(balancedV([1000, 1000], [600, 400]), balancedV([10_000_000, 10_000_000], [6, 4]), "V");
  });

  test("the robust distance takes off what chance makes", () => {
    expect(robustDistance(0.1, { baseline: 1000, current: 1000 })).toBeCloseTo(0.1 - 1.8 * Math.sqrt(0.002), 12);
    expect(robustDistance(0.01, { baseline: 1000, current: 1000 })).toBe(0);
    expect(robustDistance(0.5, { baseline: 0, current: 10 })).toBe(0);
  });

  test("values that many rows share make fewer parts, and no part without a row of the baseline", () => {
    const baseline = sorted([...Array.from({ length: 80 }, () => 5), 1, 2, 3, 9]);
    expect([...quantileEdges(baseline, 20)]).toEqual([5]);
    expect([...quantileEdges(sorted([4, 4, 4]), 20)]).toEqual([]);
  });
});
