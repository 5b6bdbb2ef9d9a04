import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { categoryProfile } from "./category-profile.ts";
import type { ColumnCounts, ColumnProfile } from "./column-profile.ts";
import { FrequentValues } from "./frequent-values.ts";
import { numberProfile } from "./number-profile.ts";
import { decodeProfiles } from "./profile-bytes.ts";
import { RowLayout, RowSketch } from "./row-sketch.ts";
import { seededDraws } from "./seeded-draws.ts";

function profilesOf(): ColumnProfile[] {
  const draw = seededDraws(3);
  const values = new FrequentValues(100);
  for (const [city, count] of [
    ["Ulm", 60],
    ["Bonn", 30],
    ["Kiel", 10],
  ] as const)
    values.add(city, count);
  const numbers = (name: string, of: () => number) => {
    const sorted = Float64Array.from({ length: 2000 }, of).sort();
    return numberProfile({ name, rows: 2000, missing: 0, sorted });
  };
  return [
    numbers("age", () => 20 + Math.floor(draw() * 60)),
    numbers("balance", () => draw() * 1000),
    categoryProfile({ name: "city", rows: 100, missing: 0, present: 100, distinct: 3, values }),
  ];
}
const layout = new RowLayout(profilesOf());

const cells = fc.tuple(
  fc.oneof(fc.integer({ min: 10, max: 99 }), fc.constantFrom(null, undefined, "41", "x", "", [1], Number.NaN)),
  fc.oneof(fc.double({ min: -10, max: 1100, noNaN: true }), fc.constantFrom(null, undefined, Number.POSITIVE_INFINITY)),
  fc.oneof(
    fc.constantFrom("Ulm", "Bonn", "Kiel", "Rom", "", 7, true, null, undefined, {}),
    fc.string({ maxLength: 3 }),
  ),
);
const tables = fc.array(cells, { maxLength: 120 });
const sketchOf = (rows: readonly (readonly unknown[])[], seed = 1) => {
  const sketch = new RowSketch(layout, seed);
  for (const row of rows) sketch.add(row);
  return sketch;
};
/** What is exact: sums and means are up to rounding, and new categories while there is room for all of them. */
function comparable(counts: ColumnCounts[], withOthers: boolean): unknown[] {
  return counts.map((column) => {
    if (column.kind === "number") return { ...column, mean: 0, m2: 0 };
    return withOthers ? column : { ...column, others: [] };
  });
}
const isExact = (sketch: RowSketch) =>
  sketch
    .counts()
    .every((column) => column.kind === "number" || column.others.every(({ overcount }) => overcount === 0));
function expectAlike(one: RowSketch, other: RowSketch): void {
  const withOthers = isExact(one) && isExact(other);
  expect(comparable(one.counts(), withOthers)).toEqual(comparable(other.counts(), withOthers));
  const others = other.counts();
  for (const [at, column] of one.counts().entries()) {
    const its = others[at];
    if (column.kind !== "number" || its?.kind !== "number") continue;
    expect(column.mean ?? 0).toBeCloseTo(its.mean ?? 0, 8);
    expect(Math.abs(column.m2 - its.m2)).toBeLessThanOrEqual(1e-9 * (1 + its.m2));
  }
}

test("counts are what came", () => {
  const sketch = sketchOf([
    [41, 5.5, "Ulm"],
    [19, 2000, "Rom"],
    ["41", -1, "Rom"],
    ["", null, ""],
    [undefined, Number.POSITIVE_INFINITY, [1]],
    ["x", Number.NaN],
  ]);
  const [age, balance, city] = sketch.counts();
  expect(sketch.rows).toBe(6);
  expect(age).toMatchObject({ rows: 5, missing: 1, mismatched: 1, notCaptured: 1, below: 1, above: 0, fractional: 0 });
  expect(age).toMatchObject({ min: 19, max: 41, distinct: 2 });
  expect(balance).toMatchObject({
    rows: 6,
    missing: 2,
    mismatched: 1,
    below: 1,
    above: 1,
    fractional: 1,
    mean: expect.closeTo(2004.5 / 3, 9),
  });
  expect(city).toMatchObject({ rows: 5, missing: 1, mismatched: 1, notCaptured: 1, otherRows: 2, distinct: 2 });
  if (city?.kind === "category") {
    expect([...city.categories]).toEqual([1, 0, 0]);
    expect(city.others).toEqual([{ value: "Rom", count: 2, overcount: 0 }]);
  }
  if (age?.kind === "number") expect(age.bins.reduce((sum, count) => sum + count, 0)).toBe(3);
});

describe("merged", () => {
  test("in any split and order they are what one would have been", () => {
    fc.assert(
      fc.property(tables, tables, tables, (first, second, third) => {
        const whole = sketchOf([...first, ...second, ...third]);
        const left = sketchOf(first, 2);
        left.merge(sketchOf(second, 3));
        left.merge(sketchOf(third, 4));
        const right = sketchOf(third, 5);
        const inner = sketchOf(second, 6);
        inner.merge(sketchOf(first, 7));
        right.merge(inner);
        for (const merged of [left, right]) {
          expect(merged.rows).toBe(whole.rows);
          expectAlike(merged, whole);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("with one against another baseline they are refused", () => {
    const other = new RowLayout(profilesOf().slice(0, 2));
    expect(() => sketchOf([]).merge(new RowSketch(other))).toThrow("another baseline");
    expect(() => RowSketch.decode(layout, new RowSketch(other).encode())).toThrow("another baseline");
    // The same baseline, read twice, is the same.
    sketchOf([]).merge(new RowSketch(new RowLayout(profilesOf())));
  });
});

describe("bytes", () => {
  test("hold all of it: what goes on from a copy goes on alike", () => {
    fc.assert(
      fc.property(tables, tables, (first, second) => {
        const sketch = sketchOf(first);
        const bytes = sketch.encode();
        const copy = RowSketch.decode(layout, bytes);
        expect(copy.encode()).toEqual(bytes);
        expect(copy.counts()).toEqual(sketch.counts());
        for (const row of second) {
          sketch.add(row);
          copy.add(row);
        }
        expect(copy.counts()).toEqual(sketch.counts());
      }),
      { numRuns: 60 },
    );
  });

  test("of nothing are a few, and those of much are bounded", () => {
    expect(sketchOf([]).encode().byteLength).toBeLessThan(40);
    const draw = seededDraws(9);
    const sketch = sketchOf(
      Array.from({ length: 20_000 }, () => [draw() * 100, draw() * 1e4, `city-${Math.floor(draw() * 1e6)}`]),
    );
    // 1,025 bins of two or three bytes, 3 KB of HyperLogLog and 4 KB of KLL for each of two numbers.
    expect(sketch.encode().byteLength).toBeLessThan(25_000);
    expect(sketch.memoryBytes).toBeLessThan(70_000);
  });

  test("that are none have one clear error, whatever they are", () => {
    const whole = sketchOf([
      [41, 5.5, "Ulm"],
      [30, 7.25, "Rom"],
    ]).encode();
    const spoilt = fc.tuple(
      fc.integer({ min: 0, max: whole.length - 1 }),
      fc.integer({ min: 0, max: 255 }),
      fc.boolean(),
    );
    fc.assert(
      fc.property(spoilt, ([at, byte, cut]) => {
        const bytes = Uint8Array.from(cut ? whole.subarray(0, at) : whole);
        if (!cut) bytes[at] = byte;
        try {
          RowSketch.decode(layout, bytes).counts();
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(bad-sketch|other-profile)$/) });
        }
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => RowSketch.decode(layout, bytes)).toThrow(/no sketch that can be read|another baseline/);
        expect(() => decodeProfiles(Uint8Array.of(9, ...bytes))).toThrow(/no sketch that can be read/);
      }),
    );
  });
});
