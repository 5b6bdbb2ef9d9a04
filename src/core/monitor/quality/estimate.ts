import { normalQuantile } from "../statistics/normal.ts";
import { wilsonInterval } from "../statistics/proportion.ts";

/** A measure with what is known of its error. Where it is not defined the value is null and the reason says why. */
export interface Estimate {
  value: number | null;
  /** Why there is no value, such as "no positive labels"; null where there is one. */
  reason: string | null;
  /** Null where the value is, or where its error cannot be told from so little. */
  standardError: number | null;
  interval: Interval | null;
}

export interface Interval {
  low: number;
  high: number;
  confidence: number;
}

export function undefinedBecause(reason: string): Estimate {
  return { value: null, reason, standardError: null, interval: null };
}

/**
 * Wilson's score interval (1927) of a share `successes` of `n`: never outside of [0, 1], and wide where nothing or
 * everything succeeded, which is where the textbook interval is empty.
 */
export function proportion(successes: number, n: number, from: { confidence: number; empty: string }): Estimate {
  if (n <= 0) return undefinedBecause(from.empty);
  const value = successes / n;
  const interval = wilson(value, n, from.confidence);
  return { value, reason: null, standardError: Math.sqrt((value * (1 - value)) / n), interval };
}

/**
 * For a measure in [0, 1] whose variance is known by the delta method (F measures) or DeLong's (area under the curve):
 * Wilson's interval with the number of independent observations that the variance stands for, value (1 - value) /
 * variance. At 0 and 1 that variance is 0 however few were seen; `nLeast` counts there instead.
 */
export function shareWithVariance(
  value: number,
  from: { variance: number; nLeast: number; confidence: number },
): Estimate {
  const { variance, nLeast, confidence } = from;
  const effective = variance > 0 ? (value * (1 - value)) / variance : 0;
  const n = effective > 0 ? effective : nLeast;
  return {
    value,
    reason: null,
    standardError: Math.sqrt(Math.max(0, variance)),
    interval: n > 0 ? wilson(value, n, confidence) : null,
  };
}

/** A mean with its normal interval (central limit theorem), kept within `least` and `most`. */
export function normalEstimate(
  value: number,
  from: { variance: number; confidence: number; least?: number; most?: number },
): Estimate {
  const { variance, confidence, least = -Infinity, most = Infinity } = from;
  const standardError = Math.sqrt(Math.max(0, variance));
  const half = normalQuantile(0.5 + confidence / 2) * standardError;
  const interval = { low: Math.max(least, value - half), high: Math.min(most, value + half), confidence };
  return { value, reason: null, standardError, interval };
}

function wilson(share: number, n: number, confidence: number): Interval {
  return { ...wilsonInterval({ hits: share * n, of: n }, confidence), confidence };
}
