import { expect, test } from "vitest";
import { DrawnRows, dimensionsOf, inAnotherUnit, MEASURED_WITHIN } from "./drawn-rows.ts";

const pool = [Float32Array.of(10, 0, 3), Float32Array.of(200, 0.5, 30), Float32Array.of(3000, 0, 300)];

test("every drawn row is one of the table's, measured again, and all of them come", () => {
  const seen = new Set<number>();
  for (const row of new DrawnRows(pool, 1).take(200)) {
    const of = pool.findIndex((one) => Math.abs((row[0] ?? 0) / (one[0] ?? 1) - 1) <= MEASURED_WITHIN);
    expect(of).toBeGreaterThanOrEqual(0);
    seen.add(of);
    for (const [column, value] of row.entries()) {
      const measured = pool[of]?.[column] ?? Number.NaN;
      expect(Math.abs(value - measured)).toBeLessThanOrEqual(MEASURED_WITHIN * measured * 1.0001);
    }
  }
  expect([...seen].sort()).toEqual([0, 1, 2]);
});

test("the same seed draws the same rows, and another seed others", () => {
  expect(new DrawnRows(pool, 7).take(20)).toEqual(new DrawnRows(pool, 7).take(20));
  expect(new DrawnRows(pool, 8).take(20)).not.toEqual(new DrawnRows(pool, 7).take(20));
});

test("another unit of length changes lengths by its ratio, areas by its square, and nothing else", () => {
  const dimensions = dimensionsOf(["mean_radius", "worst_perimeter", "area_error", "mean_texture"]);
  expect(dimensions).toEqual([1, 1, 2, 0]);
  expect(inAnotherUnit([14, 92, 650, 19], dimensions)).toEqual([1.4, 9.2, 6.5, 19]);
});
