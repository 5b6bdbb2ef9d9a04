/** Chance that a version which is within every limit breaches one, over all looks of its life. */
const ALPHA = 0.01;
const GROWTH = 1.25;
/** Quality is that of the newest answers: so many times as many as the plan needs, by whole hours. */
export const WINDOW_TIMES = 10;

/**
 * How often a version was looked at when `n` answers are known: first at `least`, then whenever a quarter of what is
 * looked at is new. 0 before the first. Looking at every answer would find something sooner or later in a version that
 * is fine.
 */
export function lookOf(n: number, least: number): number {
  const first = Math.max(1, least);
  if (n < first) return 0;
  const full = first * WINDOW_TIMES;
  const growing = 1 + Math.floor(Math.log(Math.min(n, full) / first) / Math.log(GROWTH) + 1e-9);
  return growing + Math.floor(Math.max(0, n - full) / (full * (GROWTH - 1)));
}

/** The part of the error that the k-th look may spend, alpha / (k (k + 1)): all of them together spend alpha. */
export function alphaOfLook(look: number): number {
  const k = Math.max(1, look);
  return ALPHA / (k * (k + 1));
}
