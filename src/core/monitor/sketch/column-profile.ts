/**
 * What is known of a column: its profile from the baseline, and the counts of what came, which are made against that
 * profile so that the two can be compared bin by bin. Both are plain data; bins and counts are typed arrays because a
 * table may have hundreds of columns.
 */

/** A profile has at most this many bins, and a list of categories at most `CATEGORIES_MAX`. */
export const BINS_MAX = 1024;
export const CATEGORIES_MAX = 1000;

export type ColumnProfile = NumberProfile | CategoryProfile;
export type ColumnCounts = NumberCounts | CategoryCounts;

interface AnyProfile {
  name: string;
  /** Rows of the baseline, the missing ones among them. */
  rows: number;
  /** Rows without a value, i.e. null, an empty cell or NaN. */
  missing: number;
  /** Different values: exact for a profile that is, else an estimate. */
  distinct: number;
}

/**
 * A column of numbers. Its bins lie between order statistics of the baseline's `n0` finite values:
 *
 * - Bin `b` holds what is above `edges[b-1]` and at most `edges[b]`; the first and the last bin are open to the
 *   outside. There is one bin more than there are edges.
 * - A value that many rows share (an atom: a code, a 0, a constant) has a bin of its own: its edge stands twice, and
 *   the bin between the two holds exactly that value. A bin below an atom, or above the last one, may be empty.
 * - `gaps[b]` counts how many of the `n0 + 1` gaps between neighbouring order statistics the bin spans, at least 1;
 *   together they are `n0 + 1`. Had the baseline no ties, another value from the same source falls into bin `b` with
 *   probability `gaps[b] / (n0 + 1)` exactly, whatever the source is (Wilks 1941).
 * - With ties this stays exact when equal values are ordered by independent uniform draws. `tieDraws[b]` is the draw
 *   that the order statistic at edge `b` got; `gapBinOf` places a value by it. `counts`, in contrast, and `binOf` go by
 *   values alone.
 */
export interface NumberProfile extends AnyProfile {
  kind: "number";
  /** Of the finite values; null when there is none. The deviation is the population's (divided by `n0`). */
  min: number | null;
  max: number | null;
  mean: number | null;
  standardDeviation: number | null;
  /** Whether every value is a whole number. */
  isIntegral: boolean;
  edges: Float64Array;
  gaps: Float64Array;
  tieDraws: Float64Array;
  /** The baseline's own values by `binOf`; their sum is `n0`. */
  counts: Float64Array;
  /**
   * Whether the edges are true order statistics with true gaps. Not so when they come from a sketch, whose ranks are
   * off by up to `rankErrorMax` (a share of `n0`): a test that is exact by the gaps must not be made then.
   */
  isExact: boolean;
  rankErrorMax: number;
}

/** A column of texts or truth values. */
export interface CategoryProfile extends AnyProfile {
  kind: "category";
  /** The most frequent first, then by text; texts as `categoryOf` writes them. */
  categories: readonly { value: string; count: number }[];
  /** Rows with a category that the list has no room for. While there are any, a category outside it may be old. */
  otherRows: number;
}

interface AnyCounts {
  name: string;
  /** Rows in which the column was captured: those with a value, the missing and the mismatched ones. */
  rows: number;
  missing: number;
  /** Rows whose value is of another type: a text or an infinity for a number, an array or an object for either. */
  mismatched: number;
  /** Rows in which it is unknown whether there was a value, because the capture left it out; not among `rows`. */
  notCaptured: number;
  /** Estimate of how many different values came. */
  distinct: number;
}

export interface NumberCounts extends AnyCounts {
  kind: "number";
  /** By `binOf` on the profile's edges; their sum is `rows - missing - mismatched`. */
  bins: Float64Array;
  /** Below the baseline's least and above its greatest value; they are in the outer bins as well. */
  below: number;
  above: number;
  /** Values that are no whole numbers. */
  fractional: number;
  /** null while there is no value. */
  min: number | null;
  max: number | null;
  mean: number | null;
  /** Sum of the squared deviations from the mean. */
  m2: number;
}

export interface CategoryCounts extends AnyCounts {
  kind: "category";
  /** In the order of the profile's categories. */
  categories: Float64Array;
  /** Rows with a category that the profile does not list. */
  otherRows: number;
  /** The most frequent of those, with counts that are too high by at most `overcount`; at most 32. */
  others: readonly { value: string; count: number; overcount: number }[];
}

/** In which bin of the profile a finite number lies. */
export function binOf(edges: Float64Array, value: number): number {
  const at = edgesBelow(edges, value);
  // Between the two places of its edge lies the bin that holds this value alone.
  return edges[at] === value && edges[at + 1] === value ? at + 1 : at;
}

/**
 * In which bin a value lies when equal values are ordered by a uniform `draw` in [0, 1): to be used with `gaps`, where
 * it makes ties exact. It differs from `binOf` only for values that equal an edge.
 */
export function gapBinOf({ edges, tieDraws }: NumberProfile, value: number, draw: number): number {
  let bin = edgesBelow(edges, value);
  while (edges[bin] === value && (tieDraws[bin] ?? 1) < draw) bin += 1;
  return bin;
}

/** How many edges are less than the value. */
function edgesBelow(edges: Float64Array, value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] ?? Number.POSITIVE_INFINITY) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
