import { assert } from "../../error.ts";
import { deviance, stirlingError } from "./gamma.ts";

const ITERATIONS_MAX = 10_000_000;
const SMALLEST = 1e-300;

/**
 * The probability of k of n where each is one with probability p; for real k and n as well. `q` is 1 - p, given apart so
 * that none of its digits is lost near 1. Loader (2000), formula 4.
 */
export function binomialDensity({ k, n, p, q }: { k: number; n: number; p: number; q: number }): number {
  if (p === 0) return k === 0 ? 1 : 0;
  if (q === 0) return k === n ? 1 : 0;
  if (k < 0 || k > n) return 0;
  if (k === 0) return Math.exp(n * (p < 0.5 ? Math.log1p(-p) : Math.log(q)));
  if (k === n) return Math.exp(n * (p < 0.5 ? Math.log(p) : Math.log1p(-q)));
  const exponent =
    stirlingError(n) - stirlingError(k) - stirlingError(n - k) - deviance(k, n * p) - deviance(n - k, n * q);
  return Math.exp(exponent) * Math.sqrt(n / (2 * Math.PI * k * (n - k)));
}

/**
 * I_x(a, b) and 1 - I_x(a, b), the regularised incomplete beta function (Abramowitz & Stegun 26.5), by its continued
 * fraction 26.5.8 on the side of the peak where it converges, so that the smaller of the two keeps its digits. `y` is
 * 1 - x. NaN where a or b is not above 0 or x is not in [0, 1].
 */
export function regularisedBeta({ a, b, x, y = 1 - x }: { a: number; b: number; x: number; y?: number }): {
  lower: number;
  upper: number;
} {
  if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1)) return { lower: Number.NaN, upper: Number.NaN };
  if (x === 0) return { lower: 0, upper: 1 };
  if (y === 0) return { lower: 1, upper: 0 };
  // x^a y^b / B(a, b), written as a binomial probability.
  const front = binomialDensity({ k: a, n: a + b, p: x, q: y }) * ((a * b) / (a + b));
  if (x * (a + b + 2) < a + 1) {
    const lower = Math.min(1, (front * betaFraction(a, b, x)) / a);
    return { lower, upper: 1 - lower };
  }
  const upper = Math.min(1, (front * betaFraction(b, a, y)) / b);
  return { lower: 1 - upper, upper };
}

function betaFraction(a: number, b: number, x: number): number {
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let step = 1; step < ITERATIONS_MAX; step++) {
    const even = (step * (b - step) * x) / ((a + 2 * step - 1) * (a + 2 * step));
    d = 1 / awayFromZero(1 + even * d);
    c = awayFromZero(1 + even / c);
    value *= c * d;
    const odd = (-(a + step) * (a + b + step) * x) / ((a + 2 * step) * (a + 2 * step + 1));
    d = 1 / awayFromZero(1 + odd * d);
    c = awayFromZero(1 + odd / c);
    const factor = c * d;
    value *= factor;
    if (Math.abs(factor - 1) < 1e-16) return value;
  }
  assert(false, `the fraction of the incomplete beta function ends at a=${a}, b=${b}, x=${x}`);
}

const awayFromZero = (value: number): number => (Math.abs(value) < SMALLEST ? SMALLEST : value);

/** The x with I_x(a, b) = share: bisection until the doubles are neighbours, which needs no guess and cannot leave. */
export function betaQuantile({ a, b, share }: { a: number; b: number; share: number }): number {
  if (!(a > 0) || !(b > 0) || !(share >= 0 && share <= 1)) return Number.NaN;
  if (share === 0 || share === 1) return share;
  let low = 0;
  let high = 1;
  for (;;) {
    // Near 0 doubles lie densely; halving the exponent gets there in as few steps as halving the value does elsewhere.
    const middle = high < 1e-3 && low < high / 16 ? Math.sqrt(Math.max(low, SMALLEST) * high) : (low + high) / 2;
    if (middle <= low || middle >= high || high - low <= 1e-16 * high) return middle;
    if (regularisedBeta({ a, b, x: middle }).lower < share) low = middle;
    else high = middle;
  }
}

/** The chance of Student's t with `degrees` of freedom above t (Abramowitz & Stegun 26.7.1), for t of either sign. */
export function studentSurvival(t: number, degrees: number): number {
  if (Number.isNaN(t) || !(degrees > 0)) return Number.NaN;
  if (!Number.isFinite(t)) return t > 0 ? 0 : 1;
  const square = t * t;
  const x = degrees / (degrees + square);
  const y = square / (degrees + square);
  const tail = regularisedBeta({ a: degrees / 2, b: 0.5, x, y }).lower / 2;
  return t >= 0 ? tail : 1 - tail;
}

/** The t that Student's t exceeds with chance 1 - share; infinite at 0 and 1. */
export function studentQuantile(share: number, degrees: number): number {
  if (!(share >= 0 && share <= 1) || !(degrees > 0)) return Number.NaN;
  if (share === 0 || share === 1) return share === 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (share === 0.5) return 0;
  const tail = Math.min(share, 1 - share);
  let high = 1;
  while (studentSurvival(high, degrees) > tail) high *= 2;
  let low = high === 1 ? 0 : high / 2;
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return share < 0.5 ? -middle : middle;
    if (studentSurvival(middle, degrees) > tail) low = middle;
    else high = middle;
  }
}
