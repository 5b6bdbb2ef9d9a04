import { logGamma } from "../statistics/gamma.ts";

const BISECTIONS = 50;

export interface RateInterval {
  low: number;
  high: number;
}

/**
 * Where a share lies of which `bad` of `seen` were counted, at any look: the shares `p` for which the mixture
 * `B(bad + ½, seen - bad + ½) / (B(½, ½) p^bad (1 - p)^(seen - bad))` is below `1/alpha`. By Ville's inequality the
 * true share is outside at some look with a chance of at most `alpha`, if it stays the same. Source: Robbins 1970, with
 * the Jeffreys prior as the mixture. Display only: no decision rests on it.
 */
export function rateInterval(counted: { bad: number; seen: number }, alpha: number): RateInterval {
  const { bad, seen } = counted;
  if (seen <= 0) return { low: 0, high: 1 };
  const mixture = logBeta(bad + 0.5, seen - bad + 0.5) - logBeta(0.5, 0.5) + Math.log(alpha);
  // Inside while the log of the likelihood is above the mixture's.
  const inside = (p: number) =>
    (bad === 0 ? 0 : bad * Math.log(p)) + (bad === seen ? 0 : (seen - bad) * Math.log1p(-p)) > mixture;
  const middle = bad / seen;
  return {
    low: bad === 0 ? 0 : edge(inside, { inner: middle, outer: 0 }),
    high: bad === seen ? 1 : edge(inside, { inner: middle, outer: 1 }),
  };
}

function edge(inside: (p: number) => boolean, from: { inner: number; outer: number }): number {
  let { inner, outer } = from;
  for (let n = 0; n < BISECTIONS; n += 1) {
    const middle = (inner + outer) / 2;
    if (inside(middle)) inner = middle;
    else outer = middle;
  }
  return outer;
}

/** The difference of two shares: each at half of `alpha`, so that both hold together. */
export function differenceInterval(
  arms: { candidate: { bad: number; seen: number }; stable: { bad: number; seen: number } },
  alpha: number,
): RateInterval {
  const candidate = rateInterval(arms.candidate, alpha / 2);
  const stable = rateInterval(arms.stable, alpha / 2);
  return { low: candidate.low - stable.high, high: candidate.high - stable.low };
}

/**
 * Where a quantile lies, as the shares of the counted values between which it is: those ranks for which `level` is
 * within `rateInterval`. Null where `seen` are too few to bound it on both sides.
 */
export function rankInterval(options: { level: number; seen: number }, alpha: number): RateInterval | null {
  const { level, seen } = options;
  const below = (rank: number) => rateInterval({ bad: rank, seen }, alpha).high < level;
  const above = (rank: number) => rateInterval({ bad: rank, seen }, alpha).low > level;
  if (seen < 1 || !below(0) || !above(seen)) return null;
  const low = lastRank(seen, below);
  const high = seen - lastRank(seen, (fromEnd) => above(seen - fromEnd));
  return { low: low / seen, high: high / seen };
}

/** The greatest rank up to which the condition holds; it holds at 0 and stops holding once. */
function lastRank(seen: number, holds: (rank: number) => boolean): number {
  let low = 0;
  let high = seen;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}
