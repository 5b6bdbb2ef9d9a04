import { total } from "../statistics/chi-square.ts";

/**
 * Distances between two samples that were counted into the same cells: categories, or parts of a number's range. All
 * are of the shares, so a count may be weighted. An empty sample is at distance 0 from any: nothing is known of it.
 */

type Counts = ArrayLike<number>;

/**
 * The population stability index Σ (q - p) ln(q / p), which is Jeffreys' divergence (Proc. R. Soc. A 186 (1946),
 * 453-461; its use and the limits 0.1 and 0.25: Siddiqi, Credit Risk Scorecards (2006)). A cell that is empty in one
 * sample counts there as half a row, because the index is infinite otherwise: so a single row in a new cell says little
 * and many say much. Empty in both it takes no part.
 */
export function populationStability(baseline: Counts, current: Counts): number {
  const rowsBaseline = total(baseline);
  const rowsCurrent = total(current);
  if (rowsBaseline === 0 || rowsCurrent === 0) return 0;
  let sum = 0;
  for (let cell = 0; cell < baseline.length; cell++) {
    const before = baseline[cell] ?? 0;
    const now = current[cell] ?? 0;
    if (before === 0 && now === 0) continue;
    const p = (before === 0 ? 0.5 : before) / rowsBaseline;
    const q = (now === 0 ? 0.5 : now) / rowsCurrent;
    sum += (q - p) * Math.log(q / p);
  }
  return sum;
}

/**
 * The Jensen-Shannon distance: the root of the divergence in bits, from 0 for equal shares to 1 for samples without a
 * common cell (Lin, IEEE Trans. Inf. Theory 37 (1991), 145-151; Endres & Schindelin 49 (2003), 1858-1860). Base 2 is
 * scipy's with `base=2`, and NannyML's; Evidently takes the natural logarithm, and its value is ours times √ln 2.
 */
export function jensenShannon(baseline: Counts, current: Counts): number {
  const rowsBaseline = total(baseline);
  const rowsCurrent = total(current);
  if (rowsBaseline === 0 || rowsCurrent === 0) return 0;
  let sum = 0;
  for (let cell = 0; cell < baseline.length; cell++) {
    const p = (baseline[cell] ?? 0) / rowsBaseline;
    const q = (current[cell] ?? 0) / rowsCurrent;
    const middle = (p + q) / 2;
    if (p > 0) sum += p * Math.log2(p / middle);
    if (q > 0) sum += q * Math.log2(q / middle);
  }
  return Math.sqrt(Math.max(0, Math.min(1, sum / 2)));
}

/**
 * The greatest difference of one cell's shares, as Deequ and SageMaker compare categories by default. `rest` are rows of
 * each sample in cells that are not listed.
 */
export function lInfinity(baseline: Counts, current: Counts, rest = { baseline: 0, current: 0 }): number {
  const rowsBaseline = total(baseline) + rest.baseline;
  const rowsCurrent = total(current) + rest.current;
  if (rowsBaseline === 0 || rowsCurrent === 0) return 0;
  let widest = 0;
  for (let cell = 0; cell < baseline.length; cell++)
    widest = Math.max(widest, Math.abs((baseline[cell] ?? 0) / rowsBaseline - (current[cell] ?? 0) / rowsCurrent));
  return widest;
}

/**
 * What Deequ's and SageMaker's comparison method `Robust` makes of such a distance (of numbers: the Kolmogorov-Smirnov
 * statistic): less by 1.8 √((n+m)/(nm)), which equal samples exceed with a chance of about 0.3 %, and never below 0.
 */
export function robustDistance(distance: number, { baseline, current }: { baseline: number; current: number }): number {
  if (baseline === 0 || current === 0) return 0;
  return Math.max(0, distance - 1.8 * Math.sqrt(1 / baseline + 1 / current));
}

/**
 * Cramer's V (Mathematical Methods of Statistics (1946), 21.9) of the table in which both samples weigh alike:
 * √(½ Σ (p-q)²/(p+q)), 0 to 1. The plain V of a small sample beside a large one is small whatever the shares are, so it
 * could not be held to a limit; for samples of one size the two are equal.
 */
export function balancedV(baseline: Counts, current: Counts): number {
  const rowsBaseline = total(baseline);
  const rowsCurrent = total(current);
  if (rowsBaseline === 0 || rowsCurrent === 0) return 0;
  let sum = 0;
  for (let cell = 0; cell < baseline.length; cell++) {
    const p = (baseline[cell] ?? 0) / rowsBaseline;
    const q = (current[cell] ?? 0) / rowsCurrent;
    if (p + q > 0) sum += ((p - q) * (p - q)) / (p + q);
  }
  return Math.min(1, Math.sqrt(sum / 2));
}
