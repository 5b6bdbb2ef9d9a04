import { describe, expect, test } from "vitest";
import { hashed } from "../statistics/testing/hashed.ts";
import { binnedKolmogorovSmirnov, binnedWasserstein } from "./binned-distance.ts";
import { columnTest } from "./column-test.ts";
import { sortedDistances, sortedSample } from "./sample-distance.ts";
import { countNumbers, normals, profileOfNumbers } from "./testing/columns.ts";

/** From a uniform and a normal number. */
type Shape = (of: { uniform: number; normal: number }, shift: number) => number;

const shifted: Shape = ({ normal }, shift) => normal + shift;
const SHAPES: Record<string, Shape> = {
  normal: shifted,
  uniform: ({ uniform }, shift) => uniform + shift,
  exponential: ({ uniform }, shift) => -Math.log1p(-uniform) * (1 + shift),
  "with many zeros": ({ uniform, normal }, shift) => (uniform < 0.6 ? 0 : normal + shift),
  "far outliers": ({ uniform, normal }, shift) => (uniform < 0.002 * shift ? 1e6 : normal),
  wider: ({ normal }, shift) => normal * (1 + shift),
  "both tails": ({ normal }, shift) => normal ** 3 * (1 + shift),
};

function sample(shape: Shape, { rows, seed, shift }: { rows: number; seed: number; shift: number }): Float64Array {
  const normal = normals(rows, seed);
  return hashed(rows, seed + 100).map((uniform, row) => shape({ uniform, normal: normal[row] ?? 0 }, shift));
}

function columns(shape: Shape, { baseline, current, shift }: { baseline: number; current: number; shift: number }) {
  const a = sample(shape, { rows: baseline, seed: 3, shift: 0 });
  const b = sample(shape, { rows: current, seed: 4, shift });
  const profile = profileOfNumbers(a);
  const exact = sortedDistances(sortedSample(a).sorted, sortedSample(b).sorted);
  return { profile, counts: countNumbers(profile, b), exact };
}

describe("distances on bins are those of the values, within their bounds", () => {
  for (const [name, shape] of Object.entries(SHAPES))
    for (const shift of [0, 0.1, 0.6])
      test(`${name}, moved by ${shift}`, () => {
        const { profile, counts, exact } = columns(shape, { baseline: 10_000, current: 2000, shift });
        const statistic = binnedKolmogorovSmirnov(profile, counts);
        // At an edge the rounding of the two ways to it differs.
        expect(statistic).toBeLessThanOrEqual(exact.kolmogorovSmirnov + 1e-12);
        expect(statistic).toBeGreaterThan(exact.kolmogorovSmirnov - 0.004);
        const deviations = (distance: number): number => distance / (profile.standardDeviation ?? 1);
        const area = deviations(binnedWasserstein(profile, counts));
        const bound = 0.012 + 0.03 * deviations(exact.wasserstein);
        expect(Math.abs(area - deviations(exact.wasserstein)), `${area}`).toBeLessThan(bound);
      });

  test("with few different values both are those of the values exactly", () => {
    for (const step of [0, 1, 3]) {
      const shape: Shape = ({ uniform }, shift) => Math.floor(uniform * (6 + shift)) * 2.5;
      const { profile, counts, exact } = columns(shape, { baseline: 3000, current: 700, shift: step });
      expect(binnedKolmogorovSmirnov(profile, counts)).toBeCloseTo(exact.kolmogorovSmirnov, 12);
      expect(binnedWasserstein(profile, counts)).toBeCloseTo(exact.wasserstein, 10);
    }
  });

  test("a small baseline, where every value has a bin", () => {
    for (const shift of [0, 0.4]) {
      const { profile, counts, exact } = columns(shifted, { baseline: 40, current: 500, shift });
      expect(Math.abs(binnedKolmogorovSmirnov(profile, counts) - exact.kolmogorovSmirnov)).toBeLessThan(0.03);
      expect(Math.abs(binnedWasserstein(profile, counts) - exact.wasserstein)).toBeLessThan(0.1);
    }
  });
});

describe("columns of one value", () => {
  test("the same constant is at distance 0, another one at the distance between them", () => {
    const profile = profileOfNumbers(new Float64Array(500).fill(7));
    const same = countNumbers(profile, new Float64Array(300).fill(7));
    const other = countNumbers(profile, new Float64Array(300).fill(9.5));
    expect([binnedKolmogorovSmirnov(profile, same), binnedWasserstein(profile, same)]).toEqual([0, 0]);
    expect([binnedKolmogorovSmirnov(profile, other), binnedWasserstein(profile, other)]).toEqual([1, 2.5]);
    expect(columnTest({ kind: "number", profile, counts: same }).pValue).toBe(1);
    expect(columnTest({ kind: "number", profile, counts: other }).pValue).toBeLessThan(1e-100);
  });

  test("one row, and none", () => {
    const profile = profileOfNumbers([3]);
    expect(binnedWasserstein(profile, countNumbers(profile, [5]))).toBe(2);
    expect(binnedWasserstein(profile, countNumbers(profile, []))).toBe(0);
    const empty = profileOfNumbers([Number.NaN, Number.NaN]);
    expect(binnedWasserstein(empty, countNumbers(empty, [5]))).toBe(0);
    expect(binnedKolmogorovSmirnov(empty, countNumbers(empty, [5]))).toBe(0);
  });
});
