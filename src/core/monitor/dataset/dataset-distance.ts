import { chiSquareTwoSamples } from "../statistics/chi-square.ts";
import type { FeatureStatistics } from "./statistics-file.ts";

/** How far two data sets' distributions of one column are apart, in Deequ's measures. */
export interface DatasetDistance {
  /** `l-infinity`: a distance, breached from above; `chi-square`: a p-value, breached from below. */
  measure: "l-infinity" | "chi-square";
  value: number;
  /** Without the allowance for sample sizes; null for the p-value. */
  simple: number | null;
  samples: { baseline: number; current: number };
}

/**
 * What the two-sample Kolmogorov-Smirnov statistic passes by chance with probability 0.003, in units of
 * `sqrt((n + m) / (n m))` (Knuth, The Art of Computer Programming 2, section 3.3.1, (15)): Deequ's allowance, which the
 * method `Robust` takes off so that few rows raise no alarm.
 */
const ROBUST_ALLOWANCE = 1.8;

/**
 * The greatest difference of the two distribution functions, told from both KLL sketches; null where one is missing.
 * Source: Deequ's `Distance.numericalDistance`.
 */
export function numericDistance(
  baseline: FeatureStatistics,
  current: FeatureStatistics,
  method: "Simple" | "Robust",
): DatasetDistance | null {
  const a = weighted(baseline);
  const b = weighted(current);
  if (a === null || b === null) return null;
  let widest = 0;
  let inA = 0;
  let inB = 0;
  for (let i = 0, j = 0; i < a.points.length || j < b.points.length; ) {
    const value = Math.min(
      a.points[i]?.value ?? Number.POSITIVE_INFINITY,
      b.points[j]?.value ?? Number.POSITIVE_INFINITY,
    );
    for (; a.points[i]?.value === value; i += 1) inA += a.points[i]?.weight ?? 0;
    for (; b.points[j]?.value === value; j += 1) inB += b.points[j]?.weight ?? 0;
    widest = Math.max(widest, Math.abs(inA / a.total - inB / b.total));
  }
  return allowed(widest, { baseline: a.total, current: b.total }, method);
}

/**
 * The greatest difference of any category's share (`Distance.categoricalDistance`). null where one of them lists no
 * categories: there were too many of them, and nothing is known of their shares.
 */
export function categoryDistance(
  baseline: FeatureStatistics,
  current: FeatureStatistics,
  { method, drift }: { method: "Simple" | "Robust"; drift: "LInfinity" | "ChiSquared" },
): DatasetDistance | null {
  const a = countsOf(baseline);
  const b = countsOf(current);
  if (a.counts.size === 0 || b.counts.size === 0) return null;
  const values = [...new Set([...a.counts.keys(), ...b.counts.keys()])];
  const samples = { baseline: a.total, current: b.total };
  if (drift === "ChiSquared") {
    const row = (of: typeof a) => [...values.map((value) => of.counts.get(value) ?? 0), of.other];
    return { measure: "chi-square", value: chiSquareTwoSamples(row(a), row(b)).pValue, simple: null, samples };
  }
  const apart = values.map((value) =>
    Math.abs((a.counts.get(value) ?? 0) / a.total - (b.counts.get(value) ?? 0) / b.total),
  );
  return allowed(Math.max(0, ...apart), samples, method);
}

function allowed(
  simple: number,
  samples: { baseline: number; current: number },
  method: "Simple" | "Robust",
): DatasetDistance {
  const allowance = ROBUST_ALLOWANCE * Math.sqrt(1 / samples.baseline + 1 / samples.current);
  const value = method === "Simple" ? simple : Math.max(0, simple - allowance);
  return { measure: "l-infinity", value, simple, samples };
}

interface Weighted {
  points: { value: number; weight: number }[];
  total: number;
}

function weighted({ numerical_statistics }: FeatureStatistics): Weighted | null {
  const levels = numerical_statistics?.distribution?.kll?.sketch?.data;
  if (levels === undefined) return null;
  const points = levels.flatMap((level, height) => level.map((value) => ({ value, weight: 2 ** height })));
  points.sort((a, b) => a.value - b.value);
  const total = points.reduce((sum, { weight }) => sum + weight, 0);
  return total === 0 ? null : { points, total };
}

function countsOf({ string_statistics }: FeatureStatistics): {
  counts: Map<string, number>;
  total: number;
  other: number;
} {
  const buckets = string_statistics?.distribution?.categorical?.buckets ?? [];
  const counts = new Map(buckets.map(({ value, count }) => [value, count]));
  const listed = buckets.reduce((sum, { count }) => sum + count, 0);
  const total = Math.max(listed, string_statistics?.common.num_present ?? 0);
  return { counts, total, other: total - listed };
}
