import { CATEGORIES_MAX } from "../sketch/column-profile.ts";
import type { RankedValues } from "../sketch/kll-sketch.ts";
import type { CellKinds, ColumnAccumulator, InferredType } from "./column-accumulator.ts";
import type { FeatureStatistics } from "./statistics-file.ts";

/** What a check needs of a column beside its statistics. */
export interface ColumnFacts {
  name: string;
  type: InferredType;
  kinds: CellKinds;
  /** Every value is 0, 1, true or false. */
  isTruth: boolean;
}

const BUCKETS = 10;

export function columnFacts(column: ColumnAccumulator): ColumnFacts {
  const values = column.hasExactValues && column.distinct <= 4 ? column.topValues() : [];
  const isTruth = values.length > 0 && values.every(({ value }) => TRUTHS.has(value));
  return { name: column.name, type: column.inferredType, kinds: { ...column.kinds }, isTruth };
}

const TRUTHS = new Set(["0", "1", "true", "false"]);

export function featureStatistics(column: ColumnAccumulator): FeatureStatistics {
  const { name, inferredType, present, kinds } = column;
  const common = { num_present: present, num_missing: kinds.missing };
  const head = { name, inferred_type: inferredType };
  if (inferredType === "String" || inferredType === "Unknown") {
    const figures = { common, distinct_count: column.distinct };
    // Names and numbers of people are no categories, and have no place in a file that is passed on.
    if (!column.hasExactValues || column.distinct > CATEGORIES_MAX) return { ...head, string_statistics: figures };
    const distribution = { categorical: { buckets: column.topValues() } };
    return { ...head, string_statistics: { ...figures, distribution } };
  }
  const { moments, sketch, sum } = column;
  const { min, max } = moments;
  const parameters = { c: sketch.c, k: sketch.k };
  const data = sketch.levels().map((level) => [...level]);
  const kll = { buckets: evenBuckets(sketch.ranked(), { min, max }), sketch: { parameters, data } };
  const figures = { mean: sum / present, sum, std_dev: moments.standardDeviation, min, max };
  return { ...head, numerical_statistics: { common, ...figures, distribution: { kll } } };
}

/** Ten buckets of one width from the least to the greatest value; each without its upper bound, but the last. */
function evenBuckets({ values, cumulativeWeights }: RankedValues, { min, max }: { min: number; max: number }) {
  const total = cumulativeWeights.at(-1) ?? 0;
  const bounds = Array.from({ length: BUCKETS + 1 }, (_, at) =>
    at === BUCKETS ? max : min + ((max - min) / BUCKETS) * at,
  );
  const below = bounds.map((bound, at) => (at === BUCKETS ? total : weightBelow(values, cumulativeWeights, bound)));
  return bounds.slice(1).map((upper, at) => ({
    lower_bound: bounds[at] ?? min,
    upper_bound: upper,
    count: (below[at + 1] ?? 0) - (below[at] ?? 0),
  }));
}

function weightBelow(values: Float64Array, cumulative: Float64Array, bound: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) < bound) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : (cumulative[low - 1] ?? 0);
}
