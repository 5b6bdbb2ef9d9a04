/**
 * How long after a failed attempt the next one is made, in seconds: the example of the Standard Webhooks specification,
 * ten attempts over about three days.
 */
const RETRY_SECONDS = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;

/** Attempts of one delivery, the first included. */
export const ATTEMPTS_MAX = RETRY_SECONDS.length + 1;

/** Share by which a wait is made shorter or longer, so that what failed together does not come back together. */
const JITTER = 0.2;

/**
 * Milliseconds until the next attempt, or null when that was the last one. `attempt` counts from 1; `random` is from
 * [0, 1). A receiver that asks for more time (`Retry-After`) gets it, up to a day.
 */
export function retryDelayMs(attempt: number, random: number, retryAfterSeconds = 0): number | null {
  const seconds = RETRY_SECONDS[attempt - 1];
  if (seconds === undefined) return null;
  const jittered = seconds * (1 - JITTER + 2 * JITTER * random);
  return Math.round(Math.max(jittered, Math.min(retryAfterSeconds, 86_400)) * 1000);
}
