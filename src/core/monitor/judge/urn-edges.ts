import type { CategoryProfile, ColumnProfile, NumberProfile } from "../sketch/column-profile.ts";
import { orderStatistic, SeededDraws } from "./urn-draws.ts";

/** A column is watched in so many bins: enough to see where mass goes, few enough for each to have rows. */
const URN_BINS = 20;
/** With fewer values of the baseline than this there is nothing to compare with. */
export const BASELINE_VALUES_MIN = 40;

/**
 * The bins of a column's urn: between order statistics of the baseline at ranks that were fixed beforehand (every
 * twentieth of `n0 + 1`). `keys[i]` is the value (for a category its place in the order of texts) at edge `i` and
 * `draws[i]` the uniform draw by which that row of the baseline stands among equal ones.
 */
export interface UrnEdges {
  keys: Float64Array;
  draws: Float64Array;
  /** How many of the `n0 + 1` gaps each bin spans; one more than there are edges. */
  gaps: Float64Array;
  /** For categories: their places, i.e. odd numbers by text, so that an unlisted text has an even one. null for numbers. */
  places: ReadonlyMap<string, number> | null;
  /** The listed texts in order, for the place of an unlisted one. */
  texts: readonly string[];
}

/**
 * null where the test must not be made: the baseline is too small, or its edges come from a sketch, whose ranks are not
 * exact. `seed` fixes the ties' draws, so that the same seed gives the same edges after a restart.
 */
export function urnEdges(profile: ColumnProfile, seed: number): UrnEdges | null {
  const runs = profile.kind === "number" ? numberRuns(profile) : categoryRuns(profile);
  if (runs === null) return null;
  const gapsAll = runs.reduce((sum, run) => sum + run.gaps, 0);
  if (gapsAll - 1 < BASELINE_VALUES_MIN) return null;
  const edges = edgesAt(runs, { gapsAll, draws: new SeededDraws(seed) });
  const texts = profile.kind === "category" ? orderedTexts(profile) : [];
  const places = profile.kind === "category" ? new Map(texts.map((text, at) => [text, 2 * at + 1])) : null;
  return { ...edges, places, texts };
}

/** Where a category stands: a listed one at an odd place, any other between its neighbours in the order of texts. */
export function placeOf(edges: UrnEdges, text: string): number {
  const listed = edges.places?.get(text);
  if (listed !== undefined) return listed;
  let low = 0;
  let high = edges.texts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((edges.texts[middle] ?? "") < text) low = middle + 1;
    else high = middle;
  }
  return 2 * low;
}

/** In which bin a row falls. `draw` orders it among equal ones. */
export function urnBinOf(edges: UrnEdges, key: number, draw: number): number {
  const { keys, draws } = edges;
  let bin = 0;
  let high = keys.length;
  while (bin < high) {
    const middle = (bin + high) >>> 1;
    const edge = keys[middle] ?? 0;
    if (edge < key || (edge === key && (draws[middle] ?? 0) < draw)) bin = middle + 1;
    else high = middle;
  }
  return bin;
}

/**
 * A stretch of the baseline's order that ends at an order statistic: `gaps` gaps up to `key` with `draw`. When it
 * starts at the same key, all rows in it are equal and it may be cut at any rank, with draws between the two ends.
 */
interface Run {
  gaps: number;
  key: number;
  draw: number;
  /** The draw at which the stretch of equal rows begins; null when the rows are not all equal to `key`. */
  drawFrom: number | null;
  /** Whether `draw` is that of a row; else it only bounds the rows' draws from above. */
  endsAtRow: boolean;
}

function numberRuns(profile: NumberProfile): Run[] | null {
  if (!profile.isExact) return null;
  const { edges, gaps, tieDraws } = profile;
  return Array.from(gaps, (gap, bin) => {
    const key = edges[bin] ?? Number.POSITIVE_INFINITY;
    const isTied = bin > 0 && edges[bin - 1] === key;
    return {
      gaps: gap,
      key,
      draw: tieDraws[bin] ?? 1,
      drawFrom: isTied ? (tieDraws[bin - 1] ?? 0) : null,
      endsAtRow: true,
    };
  });
}

/** Each category is one stretch of equal rows, whose draws are yet to be made. */
function categoryRuns(profile: CategoryProfile): Run[] | null {
  // Rows of unlisted categories have no place in the order of texts.
  if (profile.otherRows > 0) return null;
  const counts = new Map(profile.categories.map(({ value, count }) => [value, count]));
  const runs = orderedTexts(profile).map((text, at) => ({
    gaps: counts.get(text) ?? 0,
    key: 2 * at + 1,
    draw: 1,
    drawFrom: 0,
    endsAtRow: false,
  }));
  return [...runs, { gaps: 1, key: Number.POSITIVE_INFINITY, draw: 1, drawFrom: null, endsAtRow: false }];
}

function orderedTexts(profile: CategoryProfile): string[] {
  // By code unit, which no locale changes: the order must not depend on the machine.
  return profile.categories.map(({ value }) => value).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function edgesAt(
  runs: readonly Run[],
  { gapsAll, draws }: { gapsAll: number; draws: SeededDraws },
): Pick<UrnEdges, "keys" | "draws" | "gaps"> {
  const found: { key: number; draw: number; rank: number }[] = [];
  let before = 0;
  let wanted = 1;
  for (const run of runs) {
    const end = before + run.gaps;
    const cut = { rank: before, draw: run.drawFrom ?? 0 };
    for (; wanted < URN_BINS; wanted += 1) {
      const rank = Math.round((wanted * gapsAll) / URN_BINS);
      if (rank > end || run.key === Number.POSITIVE_INFINITY) break;
      if (run.drawFrom === null || (rank === end && run.endsAtRow)) {
        if ((found.at(-1)?.rank ?? 0) < end) found.push({ key: run.key, draw: run.draw, rank: end });
        continue;
      }
      // Of the equal rows up to the stretch's end, whose draws are uniform between the two, the one with this rank.
      const rows = end - cut.rank - (run.endsAtRow ? 1 : 0);
      const share = orderStatistic({ rank: rank - cut.rank, of: rows, draws });
      cut.draw += share * (run.draw - cut.draw);
      cut.rank = rank;
      if ((found.at(-1)?.rank ?? 0) < rank) found.push({ key: run.key, draw: cut.draw, rank });
    }
    before = end;
  }
  const ranks = [0, ...found.map(({ rank }) => rank), gapsAll];
  return {
    keys: Float64Array.from(found, ({ key }) => key),
    draws: Float64Array.from(found, ({ draw }) => draw),
    gaps: Float64Array.from({ length: found.length + 1 }, (_, bin) => (ranks[bin + 1] ?? 0) - (ranks[bin] ?? 0)),
  };
}
