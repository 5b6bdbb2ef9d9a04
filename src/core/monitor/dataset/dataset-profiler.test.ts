import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readConstraints } from "./constraints-file.ts";
import { DatasetProfiler, type ProfileOptions } from "./dataset-profiler.ts";
import { readStatistics } from "./statistics-file.ts";
import type { Cell } from "./table-batch.ts";

function profiled(columns: Record<string, readonly Cell[]>, options: ProfileOptions & { step?: number } = {}) {
  const names = Object.keys(columns);
  const rows = Math.max(...Object.values(columns).map(({ length }) => length));
  const profiler = new DatasetProfiler(options);
  const step = options.step ?? rows;
  for (let from = 0; from < rows; from += step) {
    const cut = names.map((name) => columns[name]?.slice(from, from + step) ?? []);
    profiler.add({ names, columns: cut, rows: Math.min(step, rows - from) });
  }
  return profiler.finish();
}

const repeated = (values: readonly Cell[], times: number) => Array.from({ length: times }, () => values).flat();

describe("the statistics of a table", () => {
  test("of numbers are those that a person would compute", () => {
    const { statistics, constraints } = profiled({ age: ["1", "2", null, "3", "10"] });
    expect(statistics.dataset).toEqual({ item_count: 5 });
    expect(statistics.features[0]).toMatchObject({
      name: "age",
      inferred_type: "Integral",
      numerical_statistics: {
        ...{ common: { num_present: 4, num_missing: 1 }, mean: 4, sum: 16, min: 1, max: 10 },
        std_dev: Math.sqrt(12.5),
        distribution: { kll: { sketch: { parameters: { c: 0.64, k: 2048 }, data: [[1, 2, 3, 10]] } } },
      },
    });
    const buckets = statistics.features[0]?.numerical_statistics?.distribution?.kll?.buckets ?? [];
    expect(buckets.map(({ count }) => count)).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 1]);
    expect([buckets[0]?.lower_bound, buckets[9]?.upper_bound]).toEqual([1, 10]);
    expect(constraints.features[0]).toEqual({
      ...{ name: "age", inferred_type: "Integral", completeness: 0.8 },
      num_constraints: { is_non_negative: true },
    });
  });

  test("of texts list them with their counts, and few of them are a domain", () => {
    const { statistics, constraints } = profiled({ color: repeated(["red", "red", "green", null], 10) });
    expect(statistics.features[0]?.string_statistics).toEqual({
      common: { num_present: 30, num_missing: 10 },
      distinct_count: 2,
      distribution: {
        categorical: {
          buckets: [
            { value: "red", count: 20 },
            { value: "green", count: 10 },
          ],
        },
      },
    });
    expect(constraints.features[0]).toMatchObject({
      completeness: 0.75,
      string_constraints: { domains: ["green", "red"] },
    });
    const rare = profiled({ id: [...Array(50).keys()].map((at) => `id-${at}`) });
    expect(rare.constraints.features[0]).not.toHaveProperty("string_constraints");
  });

  test.each<[string, Cell[], string]>([
    ["whole numbers, however written", ["1", 2, "3.0", " 4 "], "Integral"],
    ["a fraction among them", [1, 2, 2.5], "Fractional"],
    ["an exponent", ["1e3", "-2.5E-2"], "Fractional"],
    ["a text among numbers", ["1", "2", "two"], "String"],
    ["hexadecimal, which no table means", ["0x10", "1"], "String"],
    ["truth values", [true, "false", "TRUE"], "String"],
    ["nothing", [null, "", "NaN"], "Unknown"],
    ["numbers with an infinity, which counts as missing", [1, Number.POSITIVE_INFINITY, "-Infinity"], "Integral"],
  ])("know %s", (_what, cells, type) => {
    const { statistics, columns } = profiled({ x: cells });
    expect(statistics.features[0]?.inferred_type).toBe(type);
    expect(columns[0]?.type).toBe(type);
  });

  test("do not depend on how the rows are cut", () => {
    const cell = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom("a", "1.5", "", "true"), fc.constant(null));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (rows, step) => {
          const columns = { a: rows.map(([a]) => a), b: rows.map(([, b]) => b) };
          expect(profiled(columns, { step })).toEqual(profiled(columns));
        },
      ),
    );
  });

  test("and the constraints are read back as they were written", () => {
    const table = profiled({ n: [1.5, -2, null], s: ["x", "y", "x"], e: [null, null, null] });
    expect(readStatistics(JSON.stringify(table.statistics))).toEqual({ ok: true, value: table.statistics });
    expect(readConstraints(JSON.stringify(table.constraints))).toEqual({ ok: true, value: table.constraints });
  });

  test("of a column that comes later count the rows before as missing", () => {
    const profiler = new DatasetProfiler();
    profiler.add({ names: ["a"], columns: [[1, 2, 3]], rows: 3 });
    profiler.add({ names: ["a", "b"], columns: [[4], [5]], rows: 1 });
    const { statistics, profiles } = profiler.finish();
    expect(statistics.features[1]?.numerical_statistics?.common).toEqual({ num_present: 1, num_missing: 3 });
    expect(profiles[1]).toMatchObject({ rows: 4, missing: 3, min: 5, max: 5 });
  });

  test("leave out the columns that are to be ignored", () => {
    const { statistics, answers } = profiled({ y: [1, 0], x: ["a", "b"] }, { ignore: ["y"], answers: ["y"] });
    expect(statistics.features.map(({ name }) => name)).toEqual(["x"]);
    expect(answers).toEqual({ names: ["y"], rows: [[1], [0]], of: 2 });
  });
});

describe("the profiles of a table", () => {
  test("are exact, with every missing value among the rows", () => {
    const { profiles } = profiled({ x: [3, null, 1, 2, "nan", 2] });
    expect(profiles[0]).toMatchObject({
      kind: "number",
      rows: 6,
      missing: 2,
      distinct: 3,
      isExact: true,
      min: 1,
      max: 3,
    });
  });

  test("of a table too large to keep are exact profiles of a uniform sample of its rows", () => {
    const rows = 60_000;
    const x = Array.from({ length: rows }, (_, at) => (at % 10 === 0 ? null : at));
    const { profiles, profiledRows, statistics } = profiled({ x }, { valuesMax: 1, step: 1000 });
    expect(profiledRows).toBe(10_000);
    expect(statistics.dataset.item_count).toBe(rows);
    const [profile] = profiles;
    if (profile?.kind !== "number") throw new Error("no profile of numbers");
    expect(profile).toMatchObject({ rows: 10_000, isExact: true, isIntegral: true });
    expect(profile.missing / profile.rows).toBeGreaterThan(0.08);
    expect(profile.missing / profile.rows).toBeLessThan(0.12);
    const sum = (of: Float64Array) => of.reduce((total, one) => total + one, 0);
    expect(sum(profile.counts)).toBe(profile.rows - profile.missing);
    expect(sum(profile.gaps)).toBe(profile.rows - profile.missing + 1);
    expect(Math.abs((profile.mean ?? 0) / rows - 0.5)).toBeLessThan(0.02);
    expect(Math.abs(profile.distinct / (rows * 0.9) - 1)).toBeLessThan(0.06);
  });

  test("of codes keep them as they are written, though most of them look like numbers", () => {
    const { profiles } = profiled({ zip: repeated(["01234", "99999", "A1"], 5) });
    expect(profiles[0]).toMatchObject({
      kind: "category",
      categories: [
        { value: "01234", count: 5 },
        { value: "99999", count: 5 },
        { value: "A1", count: 5 },
      ],
    });
  });

  test("of many numbers and one text count what cannot be listed any more among the others", () => {
    const cells: Cell[] = [...Array(9000).keys(), "oops"];
    const { profiles } = profiled({ x: cells });
    expect(profiles[0]).toMatchObject({
      kind: "category",
      rows: 9001,
      categories: [{ value: "oops", count: 1 }],
      otherRows: 9000,
    });
  });
});

test("a statistics.json of another shape is refused with the place and without its content", () => {
  const text = JSON.stringify({
    version: 0,
    dataset: { item_count: 1 },
    features: [{ name: "a", inferred_type: "secret" }],
  });
  const read = readStatistics(text);
  expect(read).toMatchObject({ ok: false, problem: { path: "/features/0/inferred_type" } });
  expect(JSON.stringify(read)).not.toContain("secret");
});
