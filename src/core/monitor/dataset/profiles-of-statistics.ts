import type { Parsed } from "../../error.ts";
import { categoryProfile } from "../sketch/category-profile.ts";
import { categoryOf } from "../sketch/cell-value.ts";
import type { ColumnProfile } from "../sketch/column-profile.ts";
import { FrequentValues } from "../sketch/frequent-values.ts";
import { KllSketch } from "../sketch/kll-sketch.ts";
import { Moments } from "../sketch/moments.ts";
import { numberProfileOfSketch } from "../sketch/number-profile.ts";
import type { ColumnFacts } from "./feature-statistics.ts";
import type { DatasetStatistics, FeatureStatistics } from "./statistics-file.ts";

/**
 * Profiles from a statistics.json, whoever wrote it. Those of numbers come from their KLL sketch and are exact only as
 * far as that is; a column without one cannot be compared, and is a problem.
 */
export function profilesOfStatistics(statistics: DatasetStatistics): Parsed<ColumnProfile[]> {
  const profiles: ColumnProfile[] = [];
  for (const [at, feature] of statistics.features.entries()) {
    const profile = feature.numerical_statistics === undefined ? categories(feature) : numbers(feature);
    if (profile === null) {
      const path = `/features/${at}/numerical_statistics/distribution/kll/sketch`;
      return { ok: false, problem: { path, message: `${path} is missing, and so are the column's values` } };
    }
    profiles.push(profile);
  }
  return { ok: true, value: profiles };
}

/** What a statistics.json tells of a column's kind. Whether numbers are truth values it does not tell. */
export function factsOfStatistics({ features }: DatasetStatistics): ColumnFacts[] {
  return features.map((feature) => {
    const { name, inferred_type: type } = feature;
    const common = feature.numerical_statistics?.common ?? feature.string_statistics?.common;
    const present = common?.num_present ?? 0;
    const kinds = { integral: 0, fractional: 0, truth: 0, text: 0, missing: common?.num_missing ?? 0 };
    if (type === "Integral") kinds.integral = present;
    else if (type === "Fractional") kinds.fractional = present;
    else kinds.text = present;
    return { name, type, kinds, isTruth: isTruth(feature) };
  });
}

function isTruth({ string_statistics, numerical_statistics }: FeatureStatistics): boolean {
  if (numerical_statistics !== undefined) {
    const levels = numerical_statistics.distribution?.kll?.sketch?.data ?? [];
    const isAll = levels.slice(1).every((level) => level.length === 0);
    return isAll && levels.length > 0 && levels.every((level) => level.every((value) => value === 0 || value === 1));
  }
  const buckets = string_statistics?.distribution?.categorical?.buckets ?? [];
  return buckets.length > 0 && buckets.every(({ value }) => /^(0|1|true|false)$/i.test(value));
}

function numbers({ name, inferred_type, numerical_statistics: given }: FeatureStatistics): ColumnProfile | null {
  const kll = given?.distribution?.kll?.sketch;
  const present = given?.common.num_present ?? 0;
  if (given === undefined || (kll === undefined && present > 0)) return null;
  const values = (kll?.data ?? []).flat();
  const min = given.min ?? values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const max = given.max ?? values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const { k = 2048, c = 0.64 } = kll?.parameters ?? {};
  const sketch = KllSketch.fromLevels(kll?.data ?? [], { min, max, k, c });
  const moments = new Moments();
  moments.count = sketch.count;
  moments.min = min;
  moments.max = max;
  moments.mean = given.mean ?? 0;
  moments.m2 = (given.std_dev ?? 0) ** 2 * sketch.count;
  // A sketch may stand for a few values more or less than there were; what it stands for is what is compared.
  const rows = sketch.count + given.common.num_missing;
  const distinct = new Set(values).size;
  const isIntegral = inferred_type === "Integral";
  return numberProfileOfSketch({
    name,
    rows,
    missing: given.common.num_missing,
    sketch,
    moments,
    distinct,
    isIntegral,
  });
}

function categories({ name, string_statistics: given }: FeatureStatistics): ColumnProfile {
  const buckets = given?.distribution?.categorical?.buckets ?? [];
  const values = new FrequentValues(Math.max(1, buckets.length));
  for (const { value, count } of buckets) {
    const category = categoryOf(value);
    if (typeof category === "string" && count > 0) values.add(category, count);
  }
  const { num_present: present, num_missing: missing } = given?.common ?? { num_present: 0, num_missing: 0 };
  const distinct = given?.distinct_count ?? buckets.length;
  return categoryProfile({ name, rows: present + missing, missing, present, distinct, values });
}
