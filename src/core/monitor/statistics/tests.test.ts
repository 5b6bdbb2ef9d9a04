import { describe, expect, test } from "vitest";
import { expectClose, goldens } from "../../../../test/fixtures/statistics/goldens.ts";
import { chiSquareTwoSamples, mergeSmallCells, total } from "./chi-square.ts";
import { CompensatedSum, compensatedSum, momentsOf } from "./compensated-sum.ts";
import { benjaminiHochberg, bonferroni } from "./corrections.ts";
import { exactKolmogorovSmirnov, kolmogorovSmirnovPValue, stephensSurvival } from "./kolmogorov.ts";
import {
  clopperPearsonInterval,
  hypergeometricAtLeast,
  outsideRangePValue,
  shareAbove,
  twoProportionTest,
  wilsonInterval,
} from "./proportion.ts";
import { hashed } from "./testing/hashed.ts";

describe("tests and intervals agree with scipy to 1e-9 of the value", () => {
  test("the exact Kolmogorov-Smirnov chance, down to 1e-300", () => {
    for (const { statistic, pValue, ...rows } of goldens.kolmogorovExact)
      expectClose(exactKolmogorovSmirnov(statistic, rows), pValue, JSON.stringify({ statistic, ...rows }));
  });

  test("chi-square of a table, and Cramer's V", () => {
    for (const golden of goldens.tables) {
      const ours = chiSquareTwoSamples(golden.baseline, golden.current);
      const what = JSON.stringify(golden.baseline);
      expectClose(ours.statistic, golden.statistic, `statistic of ${what}`);
      expectClose(ours.pValue, golden.pValue, `chance of ${what}`);
      expectClose(ours.cramersV, golden.cramersV, `V of ${what}`);
      expect(ours.degrees).toBe(golden.degrees);
    }
  });

  test("Wilson's and Clopper and Pearson's intervals", () => {
    for (const { wilson, exact, ...count } of goldens.proportions.intervals) {
      const ours = [wilsonInterval(count), clopperPearsonInterval(count)];
      for (const [index, [low, high]] of [wilson, exact].entries()) {
        expectClose(ours[index]?.low ?? NaN, low, `low of ${JSON.stringify(count)}`);
        expectClose(ours[index]?.high ?? NaN, high, `high of ${JSON.stringify(count)}`);
      }
    }
  });

  test("Fisher's exact test of a larger share", () => {
    for (const { hits, of, before, rows, pValue } of goldens.proportions.fisher)
      expectClose(
        shareAbove({ hits, of }, { hits: before, of: rows }),
        pValue,
        JSON.stringify({ hits, of, before, rows }),
      );
  });

  test("Benjamini and Hochberg's adjusted chances", () => {
    for (const { pValues, benjaminiHochberg: expected } of goldens.corrections)
      for (const [index, ours] of benjaminiHochberg(pValues).entries())
        expectClose(ours, expected[index] ?? NaN, `of ${pValues[index]}`);
  });
});

describe("which Kolmogorov-Smirnov chance is taken", () => {
  test("the exact one for small samples, Stephens' for large ones and for a sum that is too long", () => {
    expect(kolmogorovSmirnovPValue(0.1, { baseline: 1000, current: 1000 }).method).toBe("exact");
    expect(kolmogorovSmirnovPValue(0.1, { baseline: 10_001, current: 50 }).method).toBe("stephens");
    expect(kolmogorovSmirnovPValue(0.1, { baseline: 1000, current: 1000 }, { exactStepsMax: 1000 }).method).toBe(
      "stephens",
    );
  });

  test("Stephens' is within 6 % above 0.001 and 15 % above 1e-11 from 500 rows on", () => {
    for (const [baseline, current] of [
      [500, 600],
      [1000, 10_000],
      [1500, 1500],
    ] as const)
      for (const lambda of [0.8, 1.2, 1.6, 2.2, 2.6, 3.4]) {
        // The statistic takes multiples of this only.
        const step = divisor(baseline, current) / (baseline * current);
        const statistic = Math.round((lambda * Math.sqrt(1 / baseline + 1 / current)) / step) * step;
        const exact = exactKolmogorovSmirnov(statistic, { baseline, current });
        const stephens = stephensSurvival(statistic, { baseline, current });
        expect(Math.abs(stephens / exact - 1), `${baseline}, ${current}, ${lambda}`).toBeLessThan(
          exact > 1e-3 ? 0.06 : 0.15,
        );
      }
  });

  test("nothing speaks against equality where there is nothing, or no difference", () => {
    expect(kolmogorovSmirnovPValue(0.7, { baseline: 0, current: 5 }).pValue).toBe(1);
    expect(kolmogorovSmirnovPValue(0, { baseline: 7, current: 5 }).pValue).toBe(1);
    expect(exactKolmogorovSmirnov(0, { baseline: 7, current: 5 })).toBe(1);
  });
});

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

describe("cells that are too small for chi-square", () => {
  test("ordered ones join their neighbours until the smaller sample is expected to have twenty rows in each", () => {
    expect(mergeSmallCells([16, 16, 16, 16, 16, 1], [4, 4, 4, 4, 4, 0], { ordered: true })).toEqual({
      baseline: [81],
      current: [20],
    });
    expect(mergeSmallCells([60, 60, 60, 60, 1], [20, 40, 10, 20, 0], { ordered: true })).toEqual({
      baseline: [60, 60, 121],
      current: [20, 40, 30],
    });
  });

  test("rare categories become one, and with too few rows for that, part of the least frequent other", () => {
    const many = Array.from({ length: 40 }, () => 1);
    expect(mergeSmallCells([100, 60, ...many], [100, 60, ...many], { ordered: false })).toEqual({
      baseline: [100, 60, 40],
      current: [100, 60, 40],
    });
    expect(mergeSmallCells([100, 60, 1], [100, 60, 0], { ordered: false })).toEqual({
      baseline: [100, 61],
      current: [100, 60],
    });
  });

  test("rows are never lost, whatever the counts", () => {
    for (let round = 0; round < 200; round++) {
      const numbers = hashed(60, round);
      const baseline = [...numbers.subarray(0, 30)].map((number) => Math.floor(number ** 6 * 200));
      const current = [...numbers.subarray(30)].map((number) => Math.floor(number ** 9 * 50));
      for (const ordered of [true, false]) {
        const merged = mergeSmallCells(baseline, current, { ordered });
        expect([total(merged.baseline), total(merged.current)]).toEqual([total(baseline), total(current)]);
      }
    }
  });

  test("empty samples and a single cell say nothing", () => {
    expect(chiSquareTwoSamples([0, 0], [3, 4]).pValue).toBe(1);
    expect(chiSquareTwoSamples([9], [4])).toEqual({ statistic: 0, degrees: 0, pValue: 1, cramersV: 0 });
    expect(mergeSmallCells([0, 0], [3, 4], { ordered: false })).toEqual({ baseline: [0], current: [7] });
  });
});

describe("shares", () => {
  test("of nothing nothing is known", () => {
    expect(wilsonInterval({ hits: 0, of: 0 })).toEqual({ low: 0, high: 1 });
    expect(clopperPearsonInterval({ hits: 0, of: 0 })).toEqual({ low: 0, high: 1 });
    expect(shareAbove({ hits: 0, of: 0 }, { hits: 3, of: 9 })).toBe(1);
    expect(twoProportionTest({ hits: 0, of: 0 }, { hits: 3, of: 9 })).toEqual({ z: 0, pValue: 1 });
    expect(twoProportionTest({ hits: 5, of: 5 }, { hits: 9, of: 9 })).toEqual({ z: 0, pValue: 1 });
  });

  test("the pooled score test is the root of the table's chi-square", () => {
    const { z, pValue } = twoProportionTest({ hits: 30, of: 400 }, { hits: 90, of: 800 });
    const { statistic, pValue: same } = chiSquareTwoSamples([30, 370], [90, 710]);
    expectClose(z * z, statistic, "z squared");
    expectClose(pValue, same, "chance");
    expect(z).toBeLessThan(0);
  });

  test("both tails of the hypergeometric distribution meet", () => {
    const urn = { size: 60, marked: 25, drawn: 20 };
    for (let k = 0; k <= 21; k++) {
      const others = hypergeometricAtLeast(20 - k + 1, { size: 60, marked: 35, drawn: 20 });
      expectClose(hypergeometricAtLeast(k, urn) + others, 1, `from ${k}`);
    }
  });
});

describe("outside of the baseline's range", () => {
  test("is exact for two against three values, counted by hand", () => {
    // Of the ten orders of two new and three old values four have both new ones outside, eight at least one.
    expectClose(outsideRangePValue({ outside: 2, current: 2, baseline: 3 }), 3 / 10, "both");
    expectClose(outsideRangePValue({ outside: 1, current: 2, baseline: 3 }), 7 / 10, "one");
  });

  test("says nothing of nothing", () => {
    expect(outsideRangePValue({ outside: 0, current: 9, baseline: 9 })).toBe(1);
    expect(outsideRangePValue({ outside: 3, current: 9, baseline: 0 })).toBe(1);
    expect(outsideRangePValue({ outside: 9, current: 9, baseline: 1 })).toBeLessThanOrEqual(1);
  });
});

describe("sums", () => {
  test("keep what plain addition loses", () => {
    expect(compensatedSum([1, 1e100, 1, -1e100])).toBe(2);
    expect(compensatedSum(Array.from({ length: 10 }, () => 0.1))).toBe(1);
    expect(compensatedSum([])).toBe(0);
    expect(compensatedSum([1, Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY);
    expect(new CompensatedSum().value).toBe(0);
  });

  test("moments of a large mean, of equal values, of one and of none", () => {
    expect(momentsOf([1e15 + 1, 1e15 + 2, 1e15 + 3, 1e15 + 4]).standardDeviation).toBe(Math.sqrt(1.25));
    expect(momentsOf([0.1, 0.1, 0.1])).toEqual({ count: 3, mean: 0.1, standardDeviation: 0 });
    expect(momentsOf([4])).toEqual({ count: 1, mean: 4, standardDeviation: 0 });
    expect(momentsOf([])).toEqual({ count: 0, mean: 0, standardDeviation: 0 });
  });
});

describe("corrections", () => {
  test("a test that could not be made counts as none and stays unknown", () => {
    expect(bonferroni([0.01, Number.NaN, 0.4])).toEqual([0.02, Number.NaN, 0.8]);
    expect(benjaminiHochberg([0.01, Number.NaN, 0.4])).toEqual([0.02, Number.NaN, 0.4]);
    expect(benjaminiHochberg([])).toEqual([]);
    expect(bonferroni([0.7, 0.9])).toEqual([1, 1]);
  });
});
