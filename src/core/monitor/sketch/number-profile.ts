import { BINS_MAX, type NumberProfile } from "./column-profile.ts";
import type { KllSketch } from "./kll-sketch.ts";
import { Moments } from "./moments.ts";
import { seededDraws } from "./seeded-draws.ts";

interface Known {
  name: string;
  /** Rows of the baseline, and those among them without a value. */
  rows: number;
  missing: number;
  /** Of the draws that order equal values. */
  seed?: number;
}

/** Values in order with how many of all are no greater than each: a whole column, or what a sketch kept of one. */
interface Ranks {
  values: Float64Array;
  /** null where every value counts once. */
  cumulative: Float64Array | null;
  count: number;
}

/** The profile of a column whose finite values are all at hand, in order. It is exact. */
export function numberProfile({ sorted, ...known }: Known & { sorted: Float64Array }): NumberProfile {
  const moments = new Moments();
  let distinct = 0;
  let isIntegral = true;
  for (let at = 0; at < sorted.length; at += 1) {
    const value = sorted[at] ?? 0;
    moments.add(value);
    if (at === 0 || value !== sorted[at - 1]) distinct += 1;
    isIntegral &&= Number.isInteger(value);
  }
  const ranks = { values: sorted, cumulative: null, count: sorted.length };
  return { ...profileOf(known, ranks, moments), distinct, isIntegral, isExact: true, rankErrorMax: 0 };
}

/** The profile of a column from its sketch: exact while the sketch is, and else with the sketch's error in its ranks. */
export function numberProfileOfSketch({
  sketch,
  moments,
  distinct,
  isIntegral,
  ...known
}: Known & { sketch: KllSketch; moments: Moments; distinct: number; isIntegral: boolean }): NumberProfile {
  const { values, cumulativeWeights } = sketch.ranked();
  const ranks = { values, cumulative: cumulativeWeights, count: sketch.count };
  const { rankErrorMax } = sketch;
  return { ...profileOf(known, ranks, moments), distinct, isIntegral, isExact: rankErrorMax === 0, rankErrorMax };
}

function profileOf(
  known: Known,
  ranks: Ranks,
  moments: Moments,
): Omit<NumberProfile, "distinct" | "isIntegral" | "isExact" | "rankErrorMax"> {
  const isEmpty = moments.count === 0;
  return {
    kind: "number",
    name: known.name,
    rows: known.rows,
    missing: known.missing,
    min: isEmpty ? null : moments.min,
    max: isEmpty ? null : moments.max,
    mean: isEmpty ? null : moments.mean,
    standardDeviation: moments.standardDeviation,
    ...binsOf(ranks, seededDraws(known.seed ?? 1)),
  };
}

/**
 * Lays the edges. A group of equal values that is at least as large as an even bin gets a bin of its own, which takes
 * two edges; hence bins are the wider the more of the rows are in such groups, so that there are never too many edges.
 */
function binsOf(ranks: Ranks, draw: () => number): Pick<NumberProfile, "edges" | "gaps" | "tieDraws" | "counts"> {
  const evenWidth = ranks.count / (BINS_MAX - 1);
  let inAtoms = 0;
  for (const { count } of groupsOf(ranks)) if (isAtom(count, evenWidth)) inAtoms += count;
  const width = evenWidth * (1 + inAtoms / Math.max(1, ranks.count));
  const edges: number[] = [];
  const draws: number[] = [];
  /** Of the order statistic at each edge, and how many values are in the bins up to it. */
  const places: number[] = [];
  const filled: number[] = [];
  let pending = 0;
  for (const { value, before, count } of groupsOf(ranks)) {
    pending += count;
    const upTo = before + count;
    const last = lastDraw(draw, count);
    if (isAtom(count, width)) {
      edges.push(value, value);
      draws.push(firstDraw(draw, count, last), last);
      places.push(before + 1, upTo);
      filled.push(before, upTo);
      pending = 0;
    } else if (pending >= width && upTo < ranks.count) {
      edges.push(value);
      draws.push(last);
      places.push(upTo);
      filled.push(upTo);
      pending = 0;
    }
  }
  return {
    edges: Float64Array.from(edges),
    tieDraws: Float64Array.from(draws, Math.fround),
    gaps: differences([...places, ranks.count + 1]),
    counts: differences([...filled, ranks.count]),
  };
}

function isAtom(count: number, width: number): boolean {
  return count >= 2 && count >= width;
}

function* groupsOf({
  values,
  cumulative,
  count: all,
}: Ranks): Generator<{ value: number; before: number; count: number }> {
  let start = 0;
  for (let at = 1; at <= values.length; at += 1) {
    if (at < values.length && values[at] === values[start]) continue;
    const before = cumulative === null ? start : start === 0 ? 0 : (cumulative[start - 1] ?? 0);
    const upTo = cumulative === null ? at : (cumulative[at - 1] ?? all);
    yield { value: (values[start] ?? 0) + 0, before, count: upTo - before };
    start = at;
  }
}

/** The greatest of so many uniform draws. */
function lastDraw(draw: () => number, count: number): number {
  return draw() ** (1 / count);
}

/** The least of so many, given the greatest: the others are uniform below it. */
function firstDraw(draw: () => number, count: number, last: number): number {
  return last * (1 - draw() ** (1 / (count - 1)));
}

function differences(sums: readonly number[]): Float64Array {
  return Float64Array.from(sums, (sum, at) => sum - (sums[at - 1] ?? 0));
}
