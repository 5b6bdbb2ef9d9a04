/**
 * The chance that Kolmogorov's statistic exceeds λ, in the limit of large samples: 2 Σ (-1)^(k-1) exp(-2k²λ²), and for
 * small λ by the theta function's other form. Kolmogorov (1933); Smirnov, Ann. Math. Stat. 19 (1948), 279-281.
 * 1 at and below 0, 0 at infinity.
 */
export function kolmogorovSurvival(lambda: number): number {
  if (Number.isNaN(lambda)) return Number.NaN;
  if (lambda <= 0) return 1;
  if (lambda < 1) {
    const scale = -(Math.PI * Math.PI) / (8 * lambda * lambda);
    let sum = 0;
    for (let odd = 1; odd < 20; odd += 2) sum += Math.exp(scale * odd * odd);
    return 1 - (Math.sqrt(2 * Math.PI) / lambda) * sum;
  }
  let sum = 0;
  for (let k = 1; k < 12; k++) sum += (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * k * k * lambda * lambda);
  return Math.max(0, Math.min(1, 2 * sum));
}

/**
 * For two samples too large for the exact sum: the limit at (√n + 0.12 + 0.11/√n) d with n = n₁n₂/(n₁+n₂). Stephens,
 * J. R. Stat. Soc. B 32 (1970), 115-122.
 */
export function stephensSurvival(
  statistic: number,
  { baseline, current }: { baseline: number; current: number },
): number {
  const root = Math.sqrt((baseline / (baseline + current)) * current);
  return kolmogorovSurvival((root + 0.12 + 0.11 / root) * statistic);
}

export interface KolmogorovPValue {
  pValue: number;
  method: "exact" | "stephens";
}

/** Above these the exact sum is not worth its time: 4 million steps are about 20 ms. */
const EXACT_ROWS_MAX = 10_000;
const EXACT_STEPS_MAX = 4_000_000;

/**
 * The chance that two samples of these sizes from one continuous distribution lie at least `statistic` apart. Exact
 * where neither has more than 10,000 values and the sum takes at most `exactStepsMax` steps; else by Stephens' formula,
 * which from 500 rows on is within 6 % of the exact chance where that is above 0.001, and within 15 % above 1e-11. With
 * ties the chance is smaller than what this says (the test is conservative), as scipy's is. 1 where a sample is empty:
 * then nothing speaks against equality.
 */
export function kolmogorovSmirnovPValue(
  statistic: number,
  { baseline, current }: { baseline: number; current: number },
  { exactStepsMax = EXACT_STEPS_MAX }: { exactStepsMax?: number } = {},
): KolmogorovPValue {
  if (baseline === 0 || current === 0 || statistic <= 0) return { pValue: 1, method: "exact" };
  const steps = Math.min(1, 2 * statistic) * baseline * current;
  return Math.max(baseline, current) <= EXACT_ROWS_MAX && steps <= exactStepsMax
    ? { pValue: exactKolmogorovSmirnov(statistic, { baseline, current }), method: "exact" }
    : { pValue: stephensSurvival(statistic, { baseline, current }), method: "stephens" };
}

/**
 * The exact chance: of all orders in which the two samples can interleave, the share whose distribution functions are
 * ever `statistic` or more apart. Walks the lattice of (i of the one, j of the other): from a point outside of the band
 * it has happened; inside, the last value was the one's with chance i/(i+j). Only the band is visited and only positive
 * numbers are added, so that a chance of 1e-100 keeps its digits. Hodges, Arkiv för Matematik 3 (1958), 469-486.
 */
export function exactKolmogorovSmirnov(
  statistic: number,
  { baseline, current }: { baseline: number; current: number },
): number {
  const long = Math.max(baseline, current);
  const short = Math.min(baseline, current);
  // |i/long - j/short| takes multiples of divisor/(long * short) only; the statistic came as a rounded one of them.
  const divisor = greatestCommonDivisor(long, short);
  const bound = (Math.round((statistic * long * short) / divisor) - 0.25) * divisor;
  if (bound < 0) return 1;
  // Outside where |i * short - j * long| > bound.
  const column = new Float64Array(short + 1);
  let lastHigh = -1;
  for (let i = 0; i <= long; i++) {
    const low = Math.max(0, Math.ceil((i * short - bound) / long));
    const high = Math.min(short, Math.floor((i * short + bound) / long));
    if (low > high) return 1;
    // What the last column's band did not reach up to is outside there; what lies below the band is outside here.
    for (let j = Math.max(low, lastHigh + 1); j <= high; j++) column[j] = 1;
    let below = 1;
    for (let j = low; j <= high; j++) {
      const total = i + j;
      const value = total === 0 ? 0 : (i * (column[j] ?? 1) + j * below) / total;
      column[j] = value;
      below = value;
    }
    lastHigh = high;
  }
  return Math.min(1, column[short] ?? 1);
}

function greatestCommonDivisor(a: number, b: number): number {
  let [high, low] = [a, b];
  while (low > 0) [high, low] = [low, high % low];
  return high;
}
