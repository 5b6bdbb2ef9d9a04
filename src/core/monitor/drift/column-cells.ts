import type {
  CategoryCounts,
  CategoryProfile,
  ColumnCounts,
  ColumnProfile,
  NumberCounts,
  NumberProfile,
} from "../sketch/column-profile.ts";
import { total } from "../statistics/chi-square.ts";

/** Parts of a column of numbers over which shares are compared. */
const PARTS = 20;

/** Both samples in the same cells. */
export interface Cells {
  baseline: number[];
  current: number[];
}

/** A column beside what came of it, both of one kind. */
export type ColumnPair =
  | { kind: "number"; profile: NumberProfile; counts: NumberCounts }
  | { kind: "category"; profile: CategoryProfile; counts: CategoryCounts };

/** null where the two are of different kinds, which a program that counts by the profile never makes. */
export function pairOf(profile: ColumnProfile, counts: ColumnCounts): ColumnPair | null {
  if (profile.kind === "number" && counts.kind === "number") return { kind: "number", profile, counts };
  if (profile.kind === "category" && counts.kind === "category") return { kind: "category", profile, counts };
  return null;
}

/** Rows with a value of the right type. */
export const baselineValues = (profile: ColumnProfile): number =>
  profile.kind === "number"
    ? total(profile.counts)
    : profile.categories.reduce((sum, { count }) => sum + count, profile.otherRows);

export const currentValues = (counts: ColumnCounts): number =>
  counts.kind === "number" ? total(counts.bins) : total(counts.categories) + counts.otherRows;

/**
 * The cells that distances are taken over: the categories; of a column of numbers with few different values, such as
 * flags and ratings, each of its bins; of others twenty parts of equally many rows of the baseline.
 */
export function cellsOf(pair: ColumnPair): Cells {
  return pair.kind === "number" ? partsOf(pair.profile, pair.counts) : categoriesOf(pair.profile, pair.counts);
}

function partsOf(profile: NumberProfile, counts: NumberCounts): Cells {
  const filled = profile.counts.reduce((bins, count) => bins + (count > 0 ? 1 : 0), 0);
  const enough = filled <= 2 * PARTS ? 0 : total(profile.counts) / PARTS;
  const cells: Cells = { baseline: [], current: [] };
  let before = 0;
  let now = 0;
  const close = (): void => {
    cells.baseline.push(before);
    cells.current.push(now);
    before = 0;
    now = 0;
  };
  for (let bin = 0; bin < profile.counts.length; bin++) {
    // A value that many rows share is not to vanish among its neighbours.
    if ((profile.counts[bin] ?? 0) >= enough && before + now > 0) close();
    before += profile.counts[bin] ?? 0;
    now += counts.bins[bin] ?? 0;
    // Half a row of slack: a share that is not a whole number of rows would make every part one row too large.
    if (before >= enough - 0.5 && before + now > 0) close();
  }
  if (before + now > 0) close();
  return cells;
}

/**
 * One cell a category, and one for all that the baseline does not list: there it holds what its list had no room for,
 * so both samples have it.
 */
function categoriesOf(profile: CategoryProfile, counts: CategoryCounts): Cells {
  return {
    baseline: [...profile.categories.map(({ count }) => count), profile.otherRows],
    current: [...profile.categories.map((_, index) => counts.categories[index] ?? 0), counts.otherRows],
  };
}

/** Cells of which each is one thing, and the rows of many things that are too rare to be known by name. */
export interface NamedCells {
  cells: Cells;
  rest: { baseline: number; current: number };
}

/**
 * As `cellsOf`, but without a cell for all that the baseline does not list: instead one for each new category that is
 * known by name, because a single one that takes many rows is what a test and a greatest difference have to see, while
 * many that take a row each are no difference in a column of names.
 */
export function namedCells(pair: ColumnPair): NamedCells {
  const { baseline, current } = cellsOf(pair);
  if (pair.kind === "number") return { cells: { baseline, current }, rest: { baseline: 0, current: 0 } };
  const { profile, counts } = pair;
  // Counts of them may be too high; what is certain is the rest. One of an incomplete list may have been there before.
  const named =
    profile.otherRows > 0 ? [] : counts.others.map(({ count, overcount }) => Math.max(0, count - overcount));
  return {
    cells: {
      baseline: [...baseline.slice(0, -1), ...named.map(() => 0)],
      current: [...current.slice(0, -1), ...named],
    },
    rest: { baseline: profile.otherRows, current: Math.max(0, counts.otherRows - total(named)) },
  };
}
