import { z } from "zod";
import type { DatasetConstraints, FeatureConstraints, MonitoringConfig } from "./constraints-file.ts";
import { categoryDistance, numericDistance } from "./dataset-distance.ts";
import type { ColumnFacts } from "./feature-statistics.ts";
import type { DatasetStatistics, FeatureStatistics } from "./statistics-file.ts";

/** The documented kinds (SageMaker Developer Guide, "Schema for Violations"); `bias_drift_check` comes from elsewhere. */
export const CHECK_TYPES = [
  "data_type_check",
  "completeness_check",
  "baseline_drift_check",
  "missing_column_check",
  "extra_column_check",
  "categorical_values_check",
  "bias_drift_check",
] as const;

const violationSchema = z.object({
  feature_name: z.string(),
  constraint_check_type: z.enum(CHECK_TYPES),
  description: z.string(),
});
export type Violation = z.infer<typeof violationSchema>;

/** One check of one column with its numbers, whether it holds or not. */
export interface CheckedColumn {
  column: string;
  check: Violation["constraint_check_type"];
  observed: number | null;
  limit: number | null;
  holds: boolean;
  message: string;
}

export interface DatasetCheck {
  rows: number;
  checks: CheckedColumn[];
  /** What `constraint_violations.json` holds. */
  violations: Violation[];
}

interface Checked {
  statistics: DatasetStatistics;
  columns: readonly ColumnFacts[];
}

const THRESHOLD_DEFAULT = 0.1;

/**
 * Checks a data set against the statistics and the constraints of a baseline, by the thresholds that stand in the
 * constraints. As in the files that SageMaker writes, `datatype_check_threshold` and `domain_content_threshold` are the
 * least share of values that must be as expected; a file that leaves them out gets the documented 0.1.
 */
export function checkDataset(
  current: Checked,
  baseline: { statistics: DatasetStatistics | null; constraints: DatasetConstraints },
): DatasetCheck {
  const { features, monitoring_config: config = {} } = baseline.constraints;
  const before = new Map(baseline.statistics?.features.map((feature) => [feature.name, feature]));
  const now = new Map(current.statistics.features.map((feature) => [feature.name, feature]));
  const facts = new Map(current.columns.map((column) => [column.name, column]));
  const checks: CheckedColumn[] = [];
  if (config.evaluate_constraints !== "Disabled") {
    for (const expected of features) {
      const statistics = now.get(expected.name);
      const column = facts.get(expected.name);
      if (statistics === undefined || column === undefined)
        checks.push(missingColumn(expected.name, current, features));
      else checks.push(...checkColumn({ expected, config, column, statistics, before: before.get(expected.name) }));
    }
    const known = new Set(features.map(({ name }) => name));
    for (const { name } of current.columns) if (!known.has(name)) checks.push(extraColumn(name, current, features));
  }
  const violations = checks
    .filter(({ holds }) => !holds)
    .map(({ column, check, message }) => ({
      feature_name: column,
      constraint_check_type: check,
      description: message,
    }));
  return { rows: current.statistics.dataset.item_count, checks, violations };
}

interface ColumnPair {
  expected: FeatureConstraints;
  config: MonitoringConfig;
  column: ColumnFacts;
  statistics: FeatureStatistics;
  before: FeatureStatistics | undefined;
}

function checkColumn(pair: ColumnPair): CheckedColumn[] {
  const overrides = pair.expected.monitoringConfigOverrides;
  const config: MonitoringConfig = {
    ...pair.config,
    ...overrides,
    distribution_constraints: {
      ...pair.config.distribution_constraints,
      ...overrides?.distribution_constraints,
    },
  };
  if (config.evaluate_constraints === "Disabled") return [];
  const own = { ...pair, config };
  return [dataType(own), completeness(own), categoryValues(own), drift(own)].flatMap((check) => check ?? []);
}

function dataType({ expected, config, column }: ColumnPair): CheckedColumn | null {
  const { integral, fractional, truth, text } = column.kinds;
  const present = integral + fractional + truth + text;
  const type = expected.inferred_type;
  // Any value can stand in a column of texts, and a whole number in a column of fractions.
  if (present === 0 || type === "String" || type === "Unknown") return null;
  const observed = (type === "Integral" ? integral : integral + fractional) / present;
  const limit = config.datatype_check_threshold ?? THRESHOLD_DEFAULT;
  const message =
    `${percent(observed)} of ${present} values are ${type === "Integral" ? "whole numbers" : "numbers"} ` +
    `(${type}), and at least ${percent(limit)} have to be.`;
  return { column: column.name, check: "data_type_check", observed, limit, holds: observed >= limit, message };
}

function completeness({ expected, column }: ColumnPair): CheckedColumn | null {
  const { integral, fractional, truth, text, missing } = column.kinds;
  const present = integral + fractional + truth + text;
  const limit = expected.completeness;
  if (limit === undefined || present + missing === 0) return null;
  const observed = present / (present + missing);
  const message = `${percent(observed)} of ${present + missing} rows have a value, and at least ${percent(limit)} have to.`;
  return { column: column.name, check: "completeness_check", observed, limit, holds: observed >= limit, message };
}

function categoryValues({ expected, config, column, statistics }: ColumnPair): CheckedColumn | null {
  const domains = expected.string_constraints?.domains;
  const given = statistics.string_statistics;
  if (domains === undefined || domains.length === 0 || given === undefined || given.common.num_present === 0)
    return null;
  const domain = new Set(domains);
  const buckets = given.distribution?.categorical?.buckets ?? [];
  const known = buckets.reduce((sum, { value, count }) => sum + (domain.has(value) ? count : 0), 0);
  const observed = known / given.common.num_present;
  const limit = config.domain_content_threshold ?? THRESHOLD_DEFAULT;
  const message =
    `${percent(observed)} of ${given.common.num_present} values are among the ${domain.size} of the baseline, ` +
    `and at least ${percent(limit)} have to be.`;
  return { column: column.name, check: "categorical_values_check", observed, limit, holds: observed >= limit, message };
}

function drift({ config, column, statistics, before }: ColumnPair): CheckedColumn | null {
  const settings = config.distribution_constraints ?? {};
  if (settings.perform_comparison === "Disabled" || before === undefined) return null;
  const method = settings.comparison_method ?? "Simple";
  const threshold = settings.comparison_threshold ?? THRESHOLD_DEFAULT;
  const isNumeric = before.numerical_statistics !== undefined && statistics.numerical_statistics !== undefined;
  const distance = isNumeric
    ? numericDistance(before, statistics, method)
    : categoryDistance(before, statistics, { method, drift: settings.categorical_drift_method ?? "LInfinity" });
  if (distance === null) return null;
  const limit = isNumeric ? threshold : (settings.categorical_comparison_threshold ?? threshold);
  const { value: observed, simple, samples } = distance;
  const of = `${samples.current} values against ${samples.baseline}`;
  const isTest = distance.measure === "chi-square";
  const holds = isTest ? observed >= limit : observed <= limit;
  const message = isTest
    ? `The chi-square test of the categories' shares gives p = ${rounded(observed)}, and it must not be under ${limit}; ${of}.`
    : `The distance of the distributions is ${rounded(observed)}${allowanceText(method, simple)}, and at most ${limit} is allowed; ${of}.`;
  return { column: column.name, check: "baseline_drift_check", observed, limit, holds, message };
}

function allowanceText(method: string, simple: number | null): string {
  return method === "Robust" && simple !== null ? ` (${rounded(simple)} less the allowance for so few)` : "";
}

function missingColumn(column: string, current: Checked, features: readonly unknown[]): CheckedColumn {
  const message = `The column is missing: the data has ${current.columns.length} columns and the baseline ${features.length}.`;
  return { column, check: "missing_column_check", observed: null, limit: null, holds: false, message };
}

function extraColumn(column: string, current: Checked, features: readonly unknown[]): CheckedColumn {
  const message = `The baseline does not have this column: the data has ${current.columns.length} columns and the baseline ${features.length}.`;
  return { column, check: "extra_column_check", observed: null, limit: null, holds: false, message };
}

/** Never rounded up to 100 % where a value is not as it should be. */
function percent(share: number): string {
  const rough = Math.round(share * 1000) / 10;
  return `${share < 1 && rough === 100 ? ">99.9" : rough} %`;
}

function rounded(value: number): string {
  return value !== 0 && Math.abs(value) < 0.0001 ? value.toExponential(1) : String(Math.round(value * 10_000) / 10_000);
}
