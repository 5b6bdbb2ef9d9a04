import { describe, expect, test } from "vitest";
import { readConstraints } from "./constraints-file.ts";
import { DatasetProfiler } from "./dataset-profiler.ts";
import { readStatistics } from "./statistics-file.ts";
import type { Cell } from "./table-batch.ts";
import { checkDataset } from "./violations.ts";

function profiled(columns: Record<string, readonly Cell[]>) {
  const profiler = new DatasetProfiler();
  const cells = Object.values(columns);
  profiler.add({ names: Object.keys(columns), columns: cells, rows: cells[0]?.length ?? 0 });
  return profiler.finish();
}

const fill = (count: number, of: (at: number) => Cell) => Array.from({ length: count }, (_, at) => of(at));
const N = 1000;
const BASELINE = profiled({
  age: fill(N, (at) => at % 100),
  income: fill(N, (at) => at / 7),
  color: fill(N, (at) => (at % 2 ? "red" : "green")),
});

/** The baseline's columns with some of them replaced, checked with some settings changed. */
function check(columns: Record<string, readonly Cell[]>, changed: object = {}) {
  const { monitoring_config: config, ...rest } = BASELINE.constraints;
  const distribution = {
    ...config?.distribution_constraints,
    ...(changed as { distribution_constraints?: object }).distribution_constraints,
  };
  const constraints = { ...rest, monitoring_config: { ...config, ...changed, distribution_constraints: distribution } };
  return checkDataset(profiled(columns), { statistics: BASELINE.statistics, constraints });
}

const same = {
  age: fill(N, (at) => at % 100),
  income: fill(N, (at) => at / 7),
  color: fill(N, (at) => (at % 2 ? "red" : "green")),
};
const found = (result: ReturnType<typeof check>) =>
  result.violations.map(({ feature_name, constraint_check_type }) => `${feature_name} ${constraint_check_type}`);

test("a data set holds to its own baseline in every check", () => {
  const result = check(same);
  expect(result.violations).toEqual([]);
  expect(result.checks).toHaveLength(9);
});

describe("a violation is found, with its numbers, for", () => {
  test("another type", () => {
    const result = check({ ...same, age: fill(N, (at) => (at % 4 === 0 ? at + 0.5 : at % 100)) });
    expect(found(result)).toContain("age data_type_check");
    expect(result.checks.find((one) => one.check === "data_type_check")).toMatchObject({ observed: 0.75, limit: 1 });
    expect(result.violations[0]?.description).toBe(
      "75 % of 1000 values are whole numbers (Integral), and at least 100 % have to be.",
    );
  });

  test("a single text in a column of numbers, told as no round figure", () => {
    const result = check({ ...same, income: fill(N * 10, (at) => (at === 5 ? "secret" : at / 70)) });
    const type = result.violations.find(({ constraint_check_type }) => constraint_check_type === "data_type_check");
    expect(type?.description).toContain(">99.9 % of 10000 values are numbers (Fractional)");
    expect(JSON.stringify(result)).not.toContain("secret");
  });

  test("missing values", () => {
    const result = check({ ...same, age: fill(N, (at) => (at % 10 === 0 ? null : at % 100)) });
    expect(found(result)).toEqual(["age completeness_check"]);
    expect(result.violations[0]?.description).toBe("90 % of 1000 rows have a value, and at least 100 % have to.");
  });

  test("a value that is not of the domain, up to the share that is allowed", () => {
    const color = fill(N, (at) => (at % 50 === 0 ? "blue" : at % 2 ? "red" : "green"));
    expect(found(check({ ...same, color }))).toEqual(["color categorical_values_check"]);
    expect(found(check({ ...same, color }, { domain_content_threshold: 0.98 }))).toEqual([]);
    expect(found(check({ ...same, color }, { domain_content_threshold: 0.981 }))).toEqual([
      "color categorical_values_check",
    ]);
  });

  test("columns too few and too many", () => {
    const { age, ...others } = same;
    expect(found(check({ ...others, shoe: age }))).toEqual(["age missing_column_check", "shoe extra_column_check"]);
  });
});

describe("the distance of the distributions", () => {
  test("is the greatest difference of the distribution functions, less what chance explains", () => {
    // A fifth of the values moves from below 20 to 200: the functions differ by 0.2 there.
    const age = fill(N, (at) => (at % 100 < 20 ? 200 : at % 100));
    const drift = (method: string) =>
      check({ ...same, age }, { distribution_constraints: { comparison_method: method } }).checks.find(
        (one) => one.column === "age" && one.check === "baseline_drift_check",
      );
    expect(drift("Simple")).toMatchObject({ observed: expect.closeTo(0.2, 12), holds: false });
    const robust = 0.2 - 1.8 * Math.sqrt((N + N) / (N * N));
    expect(drift("Robust")).toMatchObject({ observed: expect.closeTo(robust, 12), holds: false });
  });

  test("of few rows is no violation by the robust method, and one by the simple", () => {
    const few = {
      age: fill(40, (at) => (at * 7) % 100),
      income: fill(40, (at) => at * 3),
      color: fill(40, (at) => (at % 5 < 3 ? "red" : "green")),
    };
    expect(found(check(few))).toEqual([]);
    expect(
      found(
        check(few, {
          distribution_constraints: {
            comparison_method: "Simple",
            comparison_threshold: 0.05,
            categorical_comparison_threshold: 0.05,
          },
        }),
      ),
    ).toContain("color baseline_drift_check");
  });

  test("of categories is that of their shares, or a chi-square test, which limits from below", () => {
    const color = fill(N, (at) => (at % 10 < 7 ? "red" : "green"));
    const drift = (changed: object) =>
      check({ ...same, color }, { distribution_constraints: changed }).checks.find(
        (one) => one.column === "color" && one.check === "baseline_drift_check",
      );
    expect(drift({ comparison_method: "Simple" })).toMatchObject({ observed: expect.closeTo(0.2, 12), holds: false });
    expect(drift({ categorical_drift_method: "ChiSquared", categorical_comparison_threshold: 0.01 })).toMatchObject({
      holds: false,
    });
    const even = check(same, {
      distribution_constraints: { categorical_drift_method: "ChiSquared", categorical_comparison_threshold: 0.01 },
    });
    expect(found(even)).toEqual([]);
  });

  test("has the one threshold for categories too where the file names no other", () => {
    const color = fill(N, (at) => (at % 10 < 7 ? "red" : "green"));
    const result = check(
      { ...same, color },
      {
        distribution_constraints: {
          comparison_method: "Simple",
          comparison_threshold: 0.3,
          categorical_comparison_threshold: undefined,
        },
      },
    );
    expect(found(result)).toEqual([]);
  });
});

test("a column of ids has no categories, so their shares are not compared", () => {
  const ids = profiled({ id: fill(5000, (at) => `id-${at}`) });
  expect(ids.statistics.features[0]?.string_statistics).toEqual({
    common: { num_present: 5000, num_missing: 0 },
    distinct_count: expect.any(Number),
  });
  const others = profiled({ id: fill(5000, (at) => `id-${at * 3}`) });
  expect(checkDataset(others, ids).checks.map(({ check: type }) => type)).toEqual(["completeness_check"]);
  const few = profiled({ id: fill(5000, (at) => `id-${at % 3}`) });
  expect(checkDataset(few, ids).violations).toEqual([]);
});

test("nothing is checked where the file says so, for all columns or for one", () => {
  const { age, ...others } = same;
  expect(check(others, { evaluate_constraints: "Disabled" })).toMatchObject({ checks: [], violations: [] });
  const moved = { ...same, age: fill(N, (at) => at + 5000) };
  expect(found(check(moved, { distribution_constraints: { perform_comparison: "Disabled" } }))).toEqual([]);
  const features = BASELINE.constraints.features.map((one) =>
    one.name === "age"
      ? { ...one, monitoringConfigOverrides: { distribution_constraints: { perform_comparison: "Disabled" as const } } }
      : one,
  );
  const overridden = checkDataset(profiled(moved), {
    statistics: BASELINE.statistics,
    constraints: { ...BASELINE.constraints, features },
  });
  expect(overridden.violations).toEqual([]);
});

// In the form of the files that a data quality job writes: numbers as doubles, keys in capitals and keys of its own.
const FOREIGN_STATISTICS = `{
  "version": 0.0, "dataset": { "item_count": 8 },
  "features": [
    { "name": "amount", "inferred_type": "Fractional", "numerical_statistics": {
        "common": { "num_present": 7, "num_missing": 1 }, "mean": 4.0, "sum": 28.0, "std_dev": 2.0, "min": 1.0, "max": 7.0,
        "distribution": { "kll": {
          "buckets": [ { "lower_bound": 1.0, "upper_bound": 7.0, "count": 7.0 } ],
          "sketch": { "parameters": { "c": 0.64, "k": 2048.0 }, "data": [ [ 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0 ] ] } } } } },
    { "name": "kind", "inferred_type": "String", "string_statistics": {
        "common": { "num_present": 8, "num_missing": 0 }, "distinct_count": 2.0,
        "distribution": { "categorical": { "buckets": [ { "value": "a", "count": 6 }, { "value": "b", "count": 2 } ] } } } } ] }`;
const FOREIGN_CONSTRAINTS = `{
  "version": 0.0,
  "features": [
    { "name": "amount", "inferred_type": "Fractional", "completeness": 0.875, "num_constraints": { "is_non_negative": true }, "monitoringConfigOverrides": {} },
    { "name": "kind", "inferred_type": "String", "completeness": 1.0 } ],
  "monitoring_config": { "evaluate_constraints": "Enabled", "emit_metrics": "Enabled", "datatype_check_threshold": 1.0, "domain_content_threshold": 1.0,
    "distribution_constraints": { "perform_comparison": "Enabled", "comparison_threshold": 0.1, "comparison_method": "Robust", "categorical_comparison_threshold": 0.1, "categorical_drift_method": "LInfinity" } } }`;

test("files in the form that SageMaker writes are read, and checked by", () => {
  const statistics = readStatistics(FOREIGN_STATISTICS);
  const constraints = readConstraints(FOREIGN_CONSTRAINTS);
  if (!statistics.ok || !constraints.ok) throw new Error("not read");
  const baseline = { statistics: statistics.value, constraints: constraints.value };
  const kind = fill(8, (at) => (at < 6 ? "a" : "b"));
  expect(checkDataset(profiled({ amount: [1, 2, 3, 4, 5, 6, 7, null], kind }), baseline).violations).toEqual([]);
  const moved = checkDataset(profiled({ amount: fill(8, (at) => at + 100), kind }), baseline);
  // All values are others, and yet so few rows may differ so by chance.
  const distance = 1 - 1.8 * Math.sqrt((7 + 8) / (7 * 8));
  expect(moved.checks.find(({ check: type }) => type === "baseline_drift_check")).toMatchObject({
    observed: expect.closeTo(distance, 12),
    holds: true,
  });
});
