import { assert } from "../../error.ts";

/**
 * The gamma function and the regularised incomplete one. The factors before the series are taken by their distance from
 * the peak and not as differences of large logarithms, so that ten digits are left where a is a million. Loader, "Fast
 * and accurate computation of binomial probabilities" (2000).
 */

const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);
const ITERATIONS_MAX = 10_000_000;
const SMALLEST = 1e-300;

/**
 * What Stirling's formula leaves out: ln Γ(x+1) = (x + 1/2) ln x - x + ln(2π)/2 + stirlingError(x), for x > 0.
 * By its asymptotic series (Abramowitz & Stegun 6.1.41) from 16 on, and below by the step from x to x + 1.
 */
export function stirlingError(x: number): number {
  let error = 0;
  let at = x;
  while (at < 16) {
    error += (at + 0.5) * Math.log1p(1 / at) - 1;
    at++;
  }
  const inverse = 1 / at;
  const square = inverse * inverse;
  const series =
    1 / 12 -
    square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square * (1 / 1188 - square * (691 / 360360)))));
  return error + series * inverse;
}

/** ln Γ(x) for x > 0; infinite at 0 and at infinity, NaN below 0. */
export function logGamma(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN;
  if (x === 0 || x === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  if (x === 1 || x === 2) return 0;
  return (x + 0.5) * Math.log(x) - x + HALF_LOG_TWO_PI + stirlingError(x) - Math.log(x);
}

/** a ln(a/x) + x - a: how far x is from a as a Poisson's count is from its mean, with all digits where they are close. */
export function deviance(a: number, x: number): number {
  if (a === 0) return x;
  const relative = (x - a) / a;
  if (Math.abs(relative) > 0.1) return a * Math.log(a / x) + x - a;
  // With v = (x - a)/(x + a), ln(x/a) = 2 artanh(v), and the first term of its series cancels exactly.
  const v = (x - a) / (x + a);
  let power = v * v * v;
  let sum = (x - a) * v;
  for (let odd = 3; ; odd += 2) {
    const next = sum - (2 * a * power) / odd;
    if (next === sum) return sum;
    sum = next;
    power *= v * v;
  }
}

/** x^a e^-x / Γ(a+1): the probability of a count a where x is expected, for any a > 0. */
export function poissonDensity(a: number, x: number): number {
  if (x === 0) return a === 0 ? 1 : 0;
  if (a === 0) return Math.exp(-x);
  return Math.exp(-stirlingError(a) - deviance(a, x)) / Math.sqrt(2 * Math.PI * a);
}

/**
 * P(a, x) and Q(a, x) = 1 - P(a, x), the regularised incomplete gamma functions (Abramowitz & Stegun 6.5), each with its
 * own relative digits: by the series 6.5.29 below the peak and the continued fraction 6.5.31 above it. NaN where a <= 0
 * or x < 0; at infinity P is 1.
 */
export function regularisedGamma(a: number, x: number): { lower: number; upper: number } {
  if (!(a > 0) || !(x >= 0)) return { lower: Number.NaN, upper: Number.NaN };
  if (x === 0) return { lower: 0, upper: 1 };
  if (x === Number.POSITIVE_INFINITY) return { lower: 1, upper: 0 };
  if (x < a + 1) {
    const lower = Math.min(1, poissonDensity(a, x) * gammaSeries(a, x));
    return { lower, upper: 1 - lower };
  }
  const upper = Math.min(1, poissonDensity(a, x) * a * gammaFraction(a, x));
  return { lower: 1 - upper, upper };
}

function gammaSeries(a: number, x: number): number {
  let term = 1;
  let sum = 1;
  for (let step = 1; step < ITERATIONS_MAX; step++) {
    term *= x / (a + step);
    sum += term;
    if (term < sum * 1e-17) return sum;
  }
  assert(false, `the series of the incomplete gamma function ends at a=${a}, x=${x}`);
}

/** By Lentz's way of evaluating a continued fraction from its front (Thompson & Barnett, J. Comput. Phys. 64 (1986)). */
function gammaFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / SMALLEST;
  let d = 1 / b;
  let value = d;
  for (let step = 1; step < ITERATIONS_MAX; step++) {
    const numerator = -step * (step - a);
    b += 2;
    d = 1 / awayFromZero(numerator * d + b);
    c = awayFromZero(b + numerator / c);
    const factor = c * d;
    value *= factor;
    if (Math.abs(factor - 1) < 1e-16) return value;
  }
  assert(false, `the fraction of the incomplete gamma function ends at a=${a}, x=${x}`);
}

const awayFromZero = (value: number): number => (Math.abs(value) < SMALLEST ? SMALLEST : value);
