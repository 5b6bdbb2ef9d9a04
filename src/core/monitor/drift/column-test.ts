import { chiSquareTwoSamples, mergeSmallCells, total } from "../statistics/chi-square.ts";
import { kolmogorovSmirnovPValue } from "../statistics/kolmogorov.ts";
import { outsideRangePValue } from "../statistics/proportion.ts";
import { binnedKolmogorovSmirnov } from "./binned-distance.ts";
import { type ColumnPair, cellsWithNew, PARTS } from "./column-cells.ts";

/** How surprising a column would be if it came from where its baseline came from. */
export interface ColumnTest {
  /** Which look was the most surprising one. */
  name: "Kolmogorov-Smirnov" | "chi-square" | "range";
  /** Already times the number of looks. */
  pValue: number;
  /** How many looks were taken at the column. */
  looks: number;
}

/** A window is looked at while its next one comes in, hundreds of columns at a time: about 0.5 ms for one. */
const EXACT_STEPS_MAX = 100_000;

/**
 * All tests compare two samples: a baseline of 1,000 rows is no more the truth than a window of 1,000 rows is.
 *
 * A column of numbers is looked at in three ways, because none sees everything: where the distribution functions lie
 * farthest apart (Kolmogorov-Smirnov: shifts), how many rows are in each of at most twenty parts (chi-square: changes of
 * spread, and of single values), and how many rows lie outside of the baseline's range (outliers). The smallest of the
 * three chances times three holds whatever depends on what (Bonferroni). On bins and with ties the first and the third
 * can only be too large. Categories are looked at by chi-square alone; rare ones are one cell, so that a column in which
 * every row is different is no drift by itself.
 */
export function columnTest(pair: ColumnPair): ColumnTest {
  const cells = cellsWithNew(pair);
  const merged = mergeSmallCells(cells.baseline, cells.current, { ordered: pair.kind === "number", cellsMax: PARTS });
  const chiSquare = chiSquareTwoSamples(merged.baseline, merged.current).pValue;
  if (pair.kind === "category") return { name: "chi-square", pValue: chiSquare, looks: 1 };
  const rows = { baseline: total(pair.profile.counts), current: total(pair.counts.bins) };
  const statistic = binnedKolmogorovSmirnov(pair.profile, pair.counts);
  const looks: { name: ColumnTest["name"]; pValue: number }[] = [
    {
      name: "Kolmogorov-Smirnov",
      pValue: kolmogorovSmirnovPValue(statistic, rows, { exactStepsMax: EXACT_STEPS_MAX }).pValue,
    },
    { name: "chi-square", pValue: chiSquare },
    { name: "range", pValue: outsideRangePValue({ ...rows, outside: pair.counts.below + pair.counts.above }) },
  ];
  const [least] = looks.toSorted((a, b) => a.pValue - b.pValue);
  return {
    name: least?.name ?? "chi-square",
    pValue: Math.min(1, (least?.pValue ?? 1) * looks.length),
    looks: looks.length,
  };
}
