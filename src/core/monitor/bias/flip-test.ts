import { type Estimate, normalEstimate, undefinedBecause } from "../quality/estimate.ts";

/** A row with its numeric features, for the test that needs them. */
export interface FlipTestRow {
  features: readonly number[];
  isFavoured: boolean;
  predictedPositive: boolean;
}

/** Clarify's: 5 neighbours, 1 when the favoured side has ten members or fewer. */
const NEIGHBOURS = 5;
const FEW = 10;
/** Every member of one side is compared with every one of the other: 2,000 of each take about a second. */
const ROWS_MAX = 2000;

/**
 * Counterfactual fliptest, FT = (F⁺ - F⁻) / n_d: of the other side, how many were predicted negative though most of
 * their nearest neighbours (Euclidean distance) on the favoured side were predicted positive, less how many were
 * predicted positive against negative neighbours. Rows beyond the first 2,000 of a side are not looked at.
 */
export function flipTest(rows: readonly FlipTestRow[], confidence: number): Estimate {
  const favoured = rows.filter(({ isFavoured }) => isFavoured).slice(0, ROWS_MAX);
  const other = rows.filter(({ isFavoured }) => !isFavoured).slice(0, ROWS_MAX);
  if (favoured.length === 0) return undefinedBecause("no answers of the favoured side");
  if (other.length === 0) return undefinedBecause("no answers of the other side");
  const k = favoured.length > FEW ? NEIGHBOURS : 1;
  let more = 0;
  let fewer = 0;
  for (const row of other) {
    const asFavoured = majorityOfNearest(row, favoured, k);
    if (asFavoured && !row.predictedPositive) more += 1;
    if (!asFavoured && row.predictedPositive) fewer += 1;
  }
  const n = other.length;
  const value = (more - fewer) / n;
  return normalEstimate(value, { variance: ((more + fewer) / n - value * value) / n, confidence, least: -1, most: 1 });
}

/** Of neighbours that are equally far the one that stands first counts. */
function majorityOfNearest(row: FlipTestRow, favoured: readonly FlipTestRow[], k: number): boolean {
  const nearest: { distance: number; predictedPositive: boolean }[] = [];
  for (const candidate of favoured) {
    const distance = squaredDistance(row.features, candidate.features);
    const last = nearest.at(-1);
    if (nearest.length === k && last !== undefined && distance >= last.distance) continue;
    const at = nearest.findIndex((each) => distance < each.distance);
    nearest.splice(at < 0 ? nearest.length : at, 0, { distance, predictedPositive: candidate.predictedPositive });
    if (nearest.length > k) nearest.pop();
  }
  return nearest.filter(({ predictedPositive }) => predictedPositive).length * 2 > nearest.length;
}

function squaredDistance(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, at) => sum + (value - (right[at] ?? 0)) ** 2, 0);
}
