import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BinIndex } from "./bin-index.ts";
import { BINS_MAX, binOf, gapBinOf, type NumberProfile } from "./column-profile.ts";
import { KllSketch } from "./kll-sketch.ts";
import { Moments } from "./moments.ts";
import { numberProfile, numberProfileOfSketch } from "./number-profile.ts";
import { decodeProfiles, encodeProfiles } from "./profile-bytes.ts";
import { seededDraws } from "./seeded-draws.ts";

const profileOf = (values: readonly number[], missing = 0) =>
  numberProfile({ name: "x", rows: values.length + missing, missing, sorted: Float64Array.from(values).sort() });
const sumOf = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value, 0);
/** Continuous, with ties, and with a few values that nearly everybody has. */
const columns = fc.oneof(
  fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 300 }),
  fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 300 }),
  fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 2500, size: "max" }),
);

function check(profile: NumberProfile, values: readonly number[]): void {
  const { edges, gaps, counts, tieDraws } = profile;
  expect(counts.length).toBe(edges.length + 1);
  expect(gaps.length).toBe(edges.length + 1);
  expect(tieDraws.length).toBe(edges.length);
  expect(gaps.length).toBeLessThanOrEqual(BINS_MAX);
  expect(sumOf(gaps)).toBe(values.length + 1);
  expect(gaps.every((gap) => Number.isInteger(gap) && gap >= 1)).toBe(true);
  const counted = new Float64Array(counts.length);
  for (const value of values) {
    const bin = binOf(edges, value);
    counted[bin] = (counted[bin] ?? 0) + 1;
  }
  expect(counted).toEqual(counts);
}

test("bins hold the baseline's values as they say, whatever the values are", () => {
  fc.assert(fc.property(columns, (values) => check(profileOf(values), values)));
});

test("an index finds the same bins", () => {
  fc.assert(
    fc.property(columns, fc.array(fc.double({ noNaN: true })), (values, others) => {
      const { edges } = profileOf(values);
      const index = new BinIndex(edges);
      for (const value of [...values, ...others, ...edges, -1e308, 1e308, 0])
        expect(index.binOf(value)).toBe(binOf(edges, value));
    }),
  );
});

describe("a profile of", () => {
  test("a large continuous column has as many bins as there may be, about even", () => {
    const draw = seededDraws(1);
    const values = Float64Array.from({ length: 50_000 }, draw);
    const profile = profileOf([...values]);
    expect(profile.counts.length).toBeGreaterThan(BINS_MAX * 0.97);
    expect(Math.max(...profile.counts)).toBeLessThan((50_000 / BINS_MAX) * 1.1);
    expect(profile).toMatchObject({ rows: 50_000, distinct: new Set(values).size, isExact: true, isIntegral: false });
    expect(profile.standardDeviation).toBeCloseTo(Math.sqrt(1 / 12), 2);
  });

  test("codes has a bin for each, with nothing between them", () => {
    const profile = profileOf([1, 1, 1, 2, 2, 5, 5, 5, 5], 3);
    expect([...profile.edges]).toEqual([1, 1, 2, 2, 5, 5]);
    expect([...profile.counts]).toEqual([0, 3, 0, 2, 0, 4, 0]);
    expect([...profile.gaps]).toEqual([1, 2, 1, 1, 1, 3, 1]);
    expect(profile).toMatchObject({ rows: 12, missing: 3, distinct: 3, min: 1, max: 5, isIntegral: true });
    expect([0, 1, 1.5, 2, 4, 5, 6].map((value) => binOf(profile.edges, value))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("a constant tells it from all that is less or more", () => {
    const profile = profileOf([7, 7, 7]);
    expect([...profile.edges]).toEqual([7, 7]);
    expect([6, 7, 8].map((value) => binOf(profile.edges, value))).toEqual([0, 1, 2]);
    expect(profile.standardDeviation).toBe(0);
  });

  test("nothing, one value and two", () => {
    expect(profileOf([])).toMatchObject({ min: null, mean: null, standardDeviation: null, distinct: 0 });
    expect([...profileOf([]).gaps]).toEqual([1]);
    expect([...profileOf([3]).gaps]).toEqual([2]);
    expect([...profileOf([3, 4]).edges]).toEqual([3]);
  });

  test("values at the ends of what a number can be", () => {
    const values = [-1.7e308, -5e-324, 0, 5e-324, 1.7e308];
    check(profileOf(values), values);
  });
});

describe("the chance that another value falls into a bin", () => {
  // For 30 values of each kind of source, over 4,000 baselines: had a bin a chance other than its gaps say, the mean of
  // what is won by betting on it would not be 0.
  test.each<[string, (draw: () => number) => number]>([
    ["continuous", (draw) => -Math.log(draw())],
    ["two codes", (draw) => (draw() < 0.3 ? 1 : 0)],
    ["many zeros", (draw) => (draw() < 0.6 ? 0 : draw())],
    ["whole numbers", (draw) => Math.floor(-3 * Math.log(draw()))],
    ["a constant", () => 4],
  ])("is its share of the gaps: %s", (_what, source) => {
    const draw = seededDraws(77);
    const scores = ["first", "last", "second"] as const;
    const won = new Map(scores.map((score) => [score, { sum: 0, squares: 0 }]));
    const trials = 4000;
    for (let trial = 0; trial < trials; trial += 1) {
      const sorted = Float64Array.from({ length: 30 }, () => source(draw)).sort();
      const profile = numberProfile({ name: "x", rows: 30, missing: 0, sorted, seed: trial });
      const bins = profile.gaps.length;
      const bin = gapBinOf(profile, source(draw), draw());
      for (const [score, at] of [
        ["first", 0],
        ["last", bins - 1],
        ["second", 1],
      ] as const) {
        const share = (profile.gaps[at] ?? 0) / 31;
        const gain = (bin === at ? 1 : 0) - share;
        const sums = won.get(score) ?? { sum: 0, squares: 0 };
        won.set(score, { sum: sums.sum + gain, squares: sums.squares + gain * gain });
      }
    }
    for (const { sum, squares } of won.values()) expect(Math.abs(sum)).toBeLessThan(4 * Math.sqrt(squares) + 1e-9);
  });
});

test("a profile from a sketch is exact as long as the sketch is, and says by how much it is not", () => {
  const draw = seededDraws(5);
  for (const [count, k] of [
    [200, 256],
    [20_000, 256],
  ] as const) {
    const values = Array.from({ length: count }, () => Math.floor(draw() * 1000) / 10);
    const sketch = new KllSketch({ k });
    const moments = new Moments();
    for (const value of values) {
      sketch.add(value);
      moments.add(value);
    }
    const known = { name: "x", rows: count, missing: 0, distinct: 1000, isIntegral: false };
    const profile = numberProfileOfSketch({ ...known, sketch, moments });
    const exact = profileOf(values);
    if (count === 200) expect([...profile.edges]).toEqual([...exact.edges]);
    expect(profile.isExact).toBe(count === 200);
    expect(sumOf(profile.gaps)).toBe(count + 1);
    let sketched = 0;
    for (const [bin, edge] of [...profile.edges].entries()) {
      sketched += profile.counts[bin] ?? 0;
      if (profile.edges[bin + 1] === edge) continue;
      const truth = values.filter((value) => value <= edge).length;
      expect(Math.abs(sketched - truth) / count).toBeLessThanOrEqual(profile.rankErrorMax);
    }
  }
});

test("bytes hold all of it", () => {
  fc.assert(
    fc.property(columns, fc.string(), (values, name) => {
      const number = { ...profileOf(values, 2), name };
      const categories = [
        { value: "Ulm", count: 3 },
        { value: name, count: 1 },
      ];
      const known = { name, rows: 9, missing: 1, distinct: 4, otherRows: 4 };
      const profiles = [number, { kind: "category" as const, ...known, categories }];
      const whole = name.toWellFormed() === name;
      if (whole) expect(decodeProfiles(encodeProfiles(profiles))).toEqual(profiles);
    }),
  );
});
