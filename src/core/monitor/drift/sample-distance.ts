import { chiSquareTwoSamples } from "../statistics/chi-square.ts";
import { momentsOf } from "../statistics/compensated-sum.ts";
import { kolmogorovSmirnovPValue } from "../statistics/kolmogorov.ts";
import { balancedV, jensenShannon, populationStability } from "./cell-distance.ts";

/**
 * Distances between two samples that are there as a whole, for checking a table against a table. Samples are sorted
 * (`sortedSample`); an empty one is at distance 0 from any, because nothing is known of it.
 */

/** A sample in ascending order, without NaN, and how many NaN there were. Infinities stay: they have an order. */
export function sortedSample(values: ArrayLike<number>): { sorted: Float64Array; missing: number } {
  // NaN is sorted behind everything else.
  const sorted = Float64Array.from(values).sort();
  let count = sorted.length;
  while (count > 0 && Number.isNaN(sorted[count - 1])) count--;
  return { sorted: sorted.subarray(0, count), missing: sorted.length - count };
}

/**
 * The greatest difference between the two distribution functions (Kolmogorov 1933, Smirnov 1939), looked at behind each
 * run of equal values, and between them the area (`wassersteinDistance`), in one walk through both.
 */
export function sortedDistances(a: Float64Array, b: Float64Array): { kolmogorovSmirnov: number; wasserstein: number } {
  const rowsA = a.length;
  const rowsB = b.length;
  if (rowsA === 0 || rowsB === 0) return { kolmogorovSmirnov: 0, wasserstein: 0 };
  let i = 0;
  let j = 0;
  let widest = 0;
  let area = 0;
  let lost = 0;
  let gap = 0;
  let last = Math.min(a[0] ?? 0, b[0] ?? 0);
  while (i < rowsA || j < rowsB) {
    const fromA = i < rowsA ? (a[i] ?? 0) : Number.POSITIVE_INFINITY;
    const fromB = j < rowsB ? (b[j] ?? 0) : Number.POSITIVE_INFINITY;
    const value = fromA < fromB ? fromA : fromB;
    // Equal shares below an infinite step are no area; the product would be NaN.
    if (gap !== 0) {
      const step = (value - last) * gap;
      const next = area + step;
      lost += area - next + step;
      area = next;
    }
    while (i < rowsA && a[i] === value) i++;
    while (j < rowsB && b[j] === value) j++;
    // Whole numbers below 2^53 as long as the product of the sizes is, so that a tie is exactly 0.
    gap = Math.abs(i * rowsB - j * rowsA);
    if (gap > widest) widest = gap;
    last = value;
  }
  // With an infinite area what its sum lost is NaN.
  const whole = Number.isFinite(area) ? area + lost : area;
  return { kolmogorovSmirnov: widest / rowsA / rowsB, wasserstein: whole / rowsA / rowsB };
}

/** The statistic with its chance under equality; see `kolmogorovSmirnovPValue` for which one is taken. */
export function kolmogorovSmirnov(a: Float64Array, b: Float64Array) {
  const statistic = sortedDistances(a, b).kolmogorovSmirnov;
  return { statistic, ...kolmogorovSmirnovPValue(statistic, { baseline: a.length, current: b.length }) };
}

/**
 * The area between the two distribution functions, in the column's unit: how far the rows of one have to be moved on
 * average to become the other (Vallender, Theory Probab. Appl. 18 (1974), 784-786). Infinite where the samples have
 * different shares of an infinity; there scipy says NaN.
 */
export const wassersteinDistance = (a: Float64Array, b: Float64Array): number => sortedDistances(a, b).wasserstein;

/**
 * Wasserstein's distance in standard deviations of the baseline (divided by n), as Evidently norms it; null for a
 * constant baseline, which has no such unit.
 */
export function normedWasserstein(baseline: Float64Array, current: Float64Array): number | null {
  const { standardDeviation } = momentsOf(baseline);
  return standardDeviation > 0 ? wassersteinDistance(baseline, current) / standardDeviation : null;
}

/**
 * Edges between `parts` parts of the baseline with equally many rows: its order statistics at k/parts, each once. Part k
 * holds what is above edge k-1 and at most edge k. Values that many rows share make fewer and larger parts.
 */
export function quantileEdges(baseline: Float64Array, parts: number): Float64Array {
  const edges: number[] = [];
  for (let part = 1; part < parts; part++) {
    const edge = baseline[Math.ceil((part * baseline.length) / parts) - 1];
    // An edge at the greatest value would leave an empty part behind it.
    if (edge !== undefined && edge !== edges.at(-1) && edge !== baseline.at(-1)) edges.push(edge);
  }
  return Float64Array.from(edges);
}

/** How many of the sorted values are in each part between the edges. */
export function countsBetween(edges: Float64Array, sorted: Float64Array): Float64Array {
  const counts = new Float64Array(edges.length + 1);
  let before = 0;
  for (let part = 0; part < edges.length; part++) {
    const upTo = rowsUpTo(sorted, edges[part] ?? 0);
    counts[part] = upTo - before;
    before = upTo;
  }
  counts[edges.length] = sorted.length - before;
  return counts;
}

function rowsUpTo(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** PSI, Jensen-Shannon and chi-square over `parts` parts that hold equally many rows of the baseline each. */
export function quantileDistances(baseline: Float64Array, current: Float64Array, parts = 20) {
  const edges = quantileEdges(baseline, parts);
  const before = countsBetween(edges, baseline);
  const now = countsBetween(edges, current);
  return {
    populationStability: populationStability(before, now),
    jensenShannon: jensenShannon(before, now),
    chiSquare: chiSquareTwoSamples(before, now),
    balancedV: balancedV(before, now),
  };
}
