import { regularisedGamma } from "./gamma.ts";

/** The chance of a standard normal value above z, with all its digits in both tails: Q(1/2, z²/2)/2. NaN for NaN. */
export function normalSurvival(z: number): number {
  if (Number.isNaN(z)) return Number.NaN;
  const { lower, upper } = regularisedGamma(0.5, (z * z) / 2);
  return z >= 0 ? upper / 2 : 0.5 + lower / 2;
}

/** The chance of a standard normal value up to z. */
export const normalCdf = (z: number): number => normalSurvival(-z);

/**
 * The z below which a standard normal value lies with chance `share`; infinite at 0 and 1, NaN outside. Newton's steps
 * on the logarithm of the tail, which is concave, so they cannot run away.
 */
export function normalQuantile(share: number): number {
  if (!(share >= 0 && share <= 1)) return Number.NaN;
  if (share === 0 || share === 1) return share === 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (share === 0.5) return 0;
  const tail = Math.min(share, 1 - share);
  const logTail = Math.log(tail);
  let z = tail > 0.1 ? (0.5 - tail) * 2.5 : Math.sqrt(-2 * logTail);
  for (let step = 0; step < 60; step++) {
    const survival = normalSurvival(z);
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    const next = z + ((Math.log(survival) - logTail) * survival) / density;
    if (Math.abs(next - z) <= 1e-16 * Math.abs(z)) break;
    z = next;
  }
  return share < 0.5 ? -z : z;
}
