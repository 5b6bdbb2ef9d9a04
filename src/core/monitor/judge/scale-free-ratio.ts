import { logGamma } from "../statistics/gamma.ts";

/** Simpson's rule over so many steps, within so many of the integrand's deviations (at most 1) of its mode. */
const STEPS = 128;
const REACH = 9;

/** What of independent normal observations `x` counts, when only their scale-free part may: `Σ x` and `Σ x²`. */
export interface ScaleFree {
  blocks: number;
  sum: number;
  squares: number;
}

/**
 * The likelihood ratio of `μ = effect σ` against `μ = 0` for all that does not change when the unit does. With
 * `t = Σx / sqrt(Σx²)` and `n` observations it is `e^(-n effect² / 2) E[e^(effect t U)]` with `U` chi-distributed of `n`
 * degrees: the σ of both is integrated out over its right Haar measure. A martingale under `μ = 0` whatever σ is.
 */
export function scaleFreeRatio({ blocks, sum, squares }: ScaleFree, effect: number): number {
  if (squares <= 0) return 1;
  const slope = (effect * sum) / Math.sqrt(squares);
  const degrees = blocks - 1;
  const mode = (slope + Math.sqrt(slope * slope + 4 * degrees)) / 2;
  const low = Math.max(0, mode - REACH);
  const step = (Math.max(mode, 0) + REACH - low) / STEPS;
  const logOf = (u: number) => (degrees === 0 ? 0 : degrees * Math.log(u)) - (u * u) / 2 + slope * u;
  const peak = logOf(Math.max(mode, degrees === 0 ? 0 : Number.MIN_VALUE));
  let integral = 0;
  for (let n = 0; n <= STEPS; n += 1) {
    const weight = n === 0 || n === STEPS ? 1 : n % 2 === 1 ? 4 : 2;
    integral += weight * Math.exp(logOf(low + n * step) - peak);
  }
  const logNorm = (blocks / 2 - 1) * Math.LN2 + logGamma(blocks / 2);
  const log = Math.log((integral * step) / 3) + peak - logNorm - (blocks * effect * effect) / 2;
  return Math.exp(Math.min(300, log));
}
