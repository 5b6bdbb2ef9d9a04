const FIXED_SHARE = 3e-4;

/**
 * Which part of all wealth the components share again after bet number `bet`, so that a failure that starts late finds
 * money left to bet with. A part that never shrinks would cost `e^(-part bet)` of all wealth while nothing is wrong:
 * after three million requests the judge would be blind. One that shrinks as `1/bet` costs no more than a power of it.
 * Source: fixed share (Herbster & Warmuth 1998), and its decreasing form (Adamskiy, Koolen, Chernov & Vovk 2012).
 */
export function sharePart(bet: number, part = FIXED_SHARE): number {
  return bet * part > 1 ? 1 / bet : part;
}
