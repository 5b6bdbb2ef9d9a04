import { chiSquareTwoSamples, mergeSmallCells, total } from "../statistics/chi-square.ts";
import { kolmogorovSmirnovPValue } from "../statistics/kolmogorov.ts";
import { outsideRangePValue, sharesDiffer } from "../statistics/proportion.ts";
import { binnedKolmogorovSmirnov } from "./binned-distance.ts";
import { type Cells, type ColumnPair, type NamedCells, namedCells } from "./column-cells.ts";

/** How surprising a column would be if it came from where its baseline came from. */
export interface ColumnTest {
  /** Which look was the most surprising one. */
  name: "Kolmogorov-Smirnov" | "chi-square" | "one value" | "range";
  /** Already times the number of looks. */
  pValue: number;
  /** How many looks were taken at the column. */
  looks: number;
}

type Look = Pick<ColumnTest, "name" | "pValue">;

/** A window is looked at while its next one comes in, hundreds of columns at a time: about 0.5 ms for one. */
const EXACT_STEPS_MAX = 100_000;
/** Cells that are looked at one by one: those that differ most. The others count as looked at all the same. */
const SINGLE_CELLS = 8;

/**
 * All tests compare two samples: a baseline of 1,000 rows is no more the truth than a window of 1,000 rows is.
 *
 * A column is looked at in several ways, because none sees everything: how many rows are in each of its cells, i.e.
 * categories or parts of its range (chi-square: changes of spread), and in the one that differs most (Fisher's exact
 * test: a rare value that is frequent now, too rare for chi-square). Of numbers also where the distribution functions
 * lie farthest apart (Kolmogorov-Smirnov: shifts) and how many lie outside of the baseline's range (outliers). The
 * smallest chance times the number of looks holds whatever depends on what (Bonferroni). On bins and with ties
 * Kolmogorov-Smirnov's and the range's can only be too large. For chi-square all rare categories are one cell, so a
 * column in which every row is different is no drift by itself.
 */
export function columnTest(pair: ColumnPair): ColumnTest {
  const looks = pair.kind === "category" ? cellLooks(namedCells(pair), { ordered: false }) : numberLooks(pair);
  const least = looks.reduce((a, b) => (b.pValue < a.pValue ? b : a));
  return { name: least.name, pValue: Math.min(1, least.pValue * looks.length), looks: looks.length };
}

/**
 * The shares of a baseline that is known by a sketch alone are off by up to `error`; what came is moved towards them by
 * as much, so that a sketch's error is never taken for a difference.
 */
function withinError({ baseline, current }: Cells, error: number): Cells {
  if (error === 0) return { baseline, current };
  const rows = { baseline: total(baseline), current: total(current) };
  const moved = current.map((now, cell) => {
    const before = (baseline[cell] ?? 0) / rows.baseline;
    const difference = now / rows.current - before;
    const left = Math.sign(difference) * Math.max(0, Math.abs(difference) - error);
    return Math.round((before + left) * rows.current);
  });
  return rows.baseline === 0 || rows.current === 0 ? { baseline, current } : { baseline, current: moved };
}

function cellLooks({ cells, rest }: NamedCells, { ordered }: { ordered: boolean }): [Look, Look] {
  const merged = mergeSmallCells(cells.baseline, cells.current, { ordered, rest });
  // Of two cells the exact test of one says all, and in less of a limit.
  const chiSquare =
    merged.baseline.length > 2 ? chiSquareTwoSamples(merged.baseline, merged.current).pValue : singleCell(merged);
  return [
    { name: "chi-square", pValue: chiSquare },
    { name: "one value", pValue: singleCell(cells, rest) },
  ];
}

/** The cell that differs most by itself, times the number of cells. */
function singleCell({ baseline, current }: Cells, rest = { baseline: 0, current: 0 }): number {
  const rows = { baseline: total(baseline) + rest.baseline, current: total(current) + rest.current };
  if (rows.baseline === 0 || rows.current === 0) return 1;
  const differing = baseline
    .map((before, cell) => ({ before, now: current[cell] ?? 0 }))
    .filter(({ before, now }) => before + now > 0)
    .map(({ before, now }) => {
      const difference = before / rows.baseline - now / rows.current;
      return { before, now, size: (difference * difference) / (before + now) };
    });
  if (differing.length === 0) return 1;
  // The only two cells there are differ by the same.
  const cells = differing.length === 2 && rest.baseline + rest.current === 0 ? 1 : differing.length;
  const most = differing.toSorted((a, b) => b.size - a.size).slice(0, SINGLE_CELLS);
  const chances = most.map(({ before, now }) =>
    sharesDiffer({ hits: now, of: rows.current }, { hits: before, of: rows.baseline }),
  );
  return Math.min(1, Math.min(...chances) * cells);
}

function numberLooks(pair: ColumnPair & { kind: "number" }): [Look, ...Look[]] {
  const { profile, counts } = pair;
  const { cells, rest } = namedCells(pair);
  const rows = { baseline: total(profile.counts), current: total(counts.bins) };
  const statistic = Math.max(0, binnedKolmogorovSmirnov(profile, counts) - profile.rankErrorMax);
  const { pValue } = kolmogorovSmirnovPValue(statistic, rows, { exactStepsMax: EXACT_STEPS_MAX });
  return [
    ...cellLooks({ cells: withinError(cells, 2 * profile.rankErrorMax), rest }, { ordered: true }),
    { name: "Kolmogorov-Smirnov", pValue },
    { name: "range", pValue: outsideRangePValue({ ...rows, outside: counts.below + counts.above }) },
  ];
}
