import { CompensatedSum } from "./compensated-sum.ts";
import { regularisedGamma } from "./gamma.ts";

/** The chance that a chi-square value with so many degrees of freedom is above `value`; 1 with none. */
export function chiSquareSurvival(value: number, degrees: number): number {
  if (Number.isNaN(value) || !(degrees >= 0)) return Number.NaN;
  if (degrees === 0 || value <= 0) return 1;
  return regularisedGamma(degrees / 2, value / 2).upper;
}

export interface ChiSquareTest {
  statistic: number;
  degrees: number;
  pValue: number;
  /** Cramer's V of the table as it is: 0 for equal shares, 1 when no cell is in both samples. */
  cramersV: number;
}

/**
 * Pearson's chi-square test that two samples of counts over the same cells have the same shares: the 2 x k contingency
 * table, both samples being random (Pearson, Biometrika 8 (1911), 250-254), without Yates' correction. Cells that are
 * empty in both take no part. With an empty sample or one cell nothing speaks against equality: p is 1.
 *
 * The chance is that of the limit of large counts; whoever has small ones merges cells first (`mergeSmallCells`).
 */
export function chiSquareTwoSamples(baseline: ArrayLike<number>, current: ArrayLike<number>): ChiSquareTest {
  const rowsBaseline = total(baseline);
  const rowsCurrent = total(current);
  const rows = rowsBaseline + rowsCurrent;
  if (rowsBaseline === 0 || rowsCurrent === 0) return { statistic: 0, degrees: 0, pValue: 1, cramersV: 0 };
  const sum = new CompensatedSum();
  let cells = 0;
  for (let cell = 0; cell < baseline.length; cell++) {
    const a = baseline[cell] ?? 0;
    const b = current[cell] ?? 0;
    if (a + b === 0) continue;
    cells++;
    // The two squares of a column of the table share their numerator.
    const difference = (a * rowsCurrent - b * rowsBaseline) / rows;
    sum.add(((difference * difference) / (a + b)) * (rows / rowsBaseline) * (rows / rowsCurrent));
  }
  const statistic = sum.value;
  const degrees = cells - 1;
  return {
    statistic,
    degrees,
    pValue: chiSquareSurvival(statistic, degrees),
    cramersV: degrees === 0 ? 0 : Math.min(1, Math.sqrt(statistic / rows)),
  };
}

/**
 * Rows that both samples are expected to have in each cell. Textbooks ask for five (Cochran, Biometrics 10 (1954),
 * 417-451), which is for a limit of 5 %: with five expected rows a chance of 1e-5 comes up to nine times as often as it
 * says, with twenty at most three times (simulated with 2 to 200 cells). Corrected for hundreds of columns, such are the
 * chances that decide.
 */
export const EXPECTED_MIN = 20;

interface Cells {
  baseline: number[];
  current: number[];
}

/**
 * Merges cells until the smaller sample is expected to have enough rows in each. Only the sum of both samples decides
 * what is merged, so the test stays one given the margins. In `ordered` cells neighbours are merged, of others all small
 * ones into one, with the `rest`: rows of each sample in cells too rare to be listed.
 */
export function mergeSmallCells(
  baseline: ArrayLike<number>,
  current: ArrayLike<number>,
  { ordered, rest = { baseline: 0, current: 0 } }: { ordered: boolean; rest?: { baseline: number; current: number } },
): Cells {
  const rowsBaseline = total(baseline) + rest.baseline;
  const rowsCurrent = total(current) + rest.current;
  const smaller = Math.min(rowsBaseline, rowsCurrent);
  const enough = smaller === 0 ? Number.POSITIVE_INFINITY : (EXPECTED_MIN * (rowsBaseline + rowsCurrent)) / smaller;
  return ordered ? mergeNeighbours(baseline, current, enough) : mergeRare(baseline, current, { enough, rest });
}

function mergeNeighbours(baseline: ArrayLike<number>, current: ArrayLike<number>, enough: number): Cells {
  const merged: Cells = { baseline: [], current: [] };
  let a = 0;
  let b = 0;
  for (let cell = 0; cell < baseline.length; cell++) {
    a += baseline[cell] ?? 0;
    b += current[cell] ?? 0;
    if (a + b < enough) continue;
    merged.baseline.push(a);
    merged.current.push(b);
    a = 0;
    b = 0;
  }
  intoLast(merged, a, b);
  return merged;
}

function mergeRare(
  baseline: ArrayLike<number>,
  current: ArrayLike<number>,
  { enough, rest }: { enough: number; rest: { baseline: number; current: number } },
): Cells {
  const merged: Cells = { baseline: [], current: [] };
  let a = rest.baseline;
  let b = rest.current;
  let smallest = 0;
  for (let cell = 0; cell < baseline.length; cell++) {
    const here = (baseline[cell] ?? 0) + (current[cell] ?? 0);
    if (here < enough) {
      a += baseline[cell] ?? 0;
      b += current[cell] ?? 0;
      continue;
    }
    const least = (merged.baseline[smallest] ?? 0) + (merged.current[smallest] ?? 0);
    if (merged.baseline.length > 0 && here < least) smallest = merged.baseline.length;
    merged.baseline.push(baseline[cell] ?? 0);
    merged.current.push(current[cell] ?? 0);
  }
  if (a + b >= enough) intoNew(merged, a, b);
  else intoCell(merged, smallest, a, b);
  return merged;
}

const intoLast = (cells: Cells, a: number, b: number): void => intoCell(cells, cells.baseline.length - 1, a, b);

function intoCell(cells: Cells, cell: number, a: number, b: number): void {
  if (a + b === 0) return;
  if (cells.baseline.length === 0) intoNew(cells, a, b);
  else {
    cells.baseline[cell] = (cells.baseline[cell] ?? 0) + a;
    cells.current[cell] = (cells.current[cell] ?? 0) + b;
  }
}

function intoNew(cells: Cells, a: number, b: number): void {
  cells.baseline.push(a);
  cells.current.push(b);
}

export function total(counts: ArrayLike<number>): number {
  // Counts are whole numbers below 2^53: their plain sum is exact.
  let sum = 0;
  for (let cell = 0; cell < counts.length; cell++) sum += counts[cell] ?? 0;
  return sum;
}
