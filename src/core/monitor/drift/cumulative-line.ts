/** A distribution function as a line through points in ascending order; before the first and behind the last it is level. */
export interface Knots {
  at: number[];
  share: number[];
}

/** The part of the interval over which rows are spread evenly when their mean is this: all of it, or up to one end. */
export function meanPreservingSpread({ low, high, mean }: { low: number; high: number; mean: number }): {
  low: number;
  high: number;
} {
  return mean - low <= high - mean
    ? { low, high: Math.max(low, low + 2 * (mean - low)) }
    : { low: Math.min(high, high - 2 * (high - mean)), high };
}

/** The area between two such lines over where either moves. Exact: both are straight between neighbouring points. */
export function areaBetween(a: Knots, b: Knots): number {
  const places = [...new Set([...a.at, ...b.at])].sort((x, y) => x - y);
  let area = 0;
  for (let index = 1; index < places.length; index++) {
    const low = places[index - 1] ?? 0;
    const high = places[index] ?? 0;
    const atLow = shareFrom(a, low) - shareFrom(b, low);
    const atHigh = shareUpTo(a, high) - shareUpTo(b, high);
    const [x, y] = [Math.abs(atLow), Math.abs(atHigh)];
    if (x + y === 0) continue;
    area += atLow * atHigh >= 0 ? ((high - low) * (x + y)) / 2 : ((high - low) * (x * x + y * y)) / (2 * (x + y));
  }
  return area;
}

/** The share right of a place; where the line jumps, the upper end of the jump. */
function shareFrom({ at, share }: Knots, place: number): number {
  let index = at.length - 1;
  while (index >= 0 && (at[index] ?? 0) > place) index--;
  return between({ at, share }, index, place);
}

/** The share left of a place; where the line jumps, the lower end of the jump. */
function shareUpTo({ at, share }: Knots, place: number): number {
  let index = at.length - 1;
  while (index >= 0 && (at[index] ?? 0) >= place) index--;
  return between({ at, share }, index, place);
}

function between({ at, share }: Knots, index: number, place: number): number {
  if (index < 0) return share[0] ?? 0;
  const next = at[index + 1];
  const here = share[index] ?? 0;
  if (next === undefined) return here;
  const from = at[index] ?? 0;
  return next === from ? here : here + (((share[index + 1] ?? 0) - here) * (place - from)) / (next - from);
}
