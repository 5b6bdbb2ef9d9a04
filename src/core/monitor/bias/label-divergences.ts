import { type Estimate, normalEstimate, undefinedBecause } from "../quality/estimate.ts";

type Divergence = "KL" | "JS" | "LP" | "TVD" | "KS";

/**
 * How far the labels of the favoured side, P_a, are from those of the other side, P_d, in AWS's definitions: KL(P_a||P_d)
 * and JS with natural logarithms, LP the 2-norm, TVD half of the 1-norm, KS the largest difference of one class. A class
 * that only the favoured side has makes KL infinite: then it has no value. Errors are the delta method's.
 */
export function labelDivergences(
  favoured: ReadonlyMap<string, number>,
  other: ReadonlyMap<string, number>,
  confidence: number,
): Record<Divergence, Estimate> {
  const [na, nd] = [total(favoured), total(other)];
  if (na === 0 || nd === 0) {
    const none = undefinedBecause(`no labels of the ${na === 0 ? "favoured" : "other"} side`);
    return { KL: none, JS: none, LP: none, TVD: none, KS: none };
  }
  const classes = [...new Set([...favoured.keys(), ...other.keys()])].sort();
  const pairs = classes.map((name) => ({ a: (favoured.get(name) ?? 0) / na, d: (other.get(name) ?? 0) / nd }));
  const estimate = (value: number, slope: (pair: Pair) => Pair) =>
    normalEstimate(value, { variance: varianceOf(pairs, { slope, na, nd }), confidence, least: 0 });

  const half = ({ a, d }: Pair) => (a + d) / 2;
  const sum = (of: (pair: Pair) => number) => pairs.reduce((so, pair) => so + of(pair), 0);
  const norm = Math.sqrt(sum(({ a, d }) => (a - d) ** 2));
  const largest = pairs.reduce((so, pair) => Math.max(so, Math.abs(pair.a - pair.d)), 0);
  const farthest = pairs.find(({ a, d }) => Math.abs(a - d) === largest);
  const onlyFavoured = pairs.some(({ a, d }) => a > 0 && d === 0);
  return {
    KL: onlyFavoured
      ? undefinedBecause("a class that only the favoured side has makes it infinite")
      : estimate(
          sum(({ a, d }) => xLogXOverY(a, d)),
          ({ a, d }) => ({ a: a === 0 ? 0 : Math.log(a / d) + 1, d: d === 0 ? 0 : -a / d }),
        ),
    JS: estimate(
      sum((pair) => (xLogXOverY(pair.a, half(pair)) + xLogXOverY(pair.d, half(pair))) / 2),
      (pair) => ({
        a: pair.a === 0 ? 0 : Math.log(pair.a / half(pair)) / 2,
        d: pair.d === 0 ? 0 : Math.log(pair.d / half(pair)) / 2,
      }),
    ),
    LP: estimate(norm, ({ a, d }) => (norm === 0 ? { a: 0, d: 0 } : { a: (a - d) / norm, d: (d - a) / norm })),
    TVD: estimate(sum(({ a, d }) => Math.abs(a - d)) / 2, ({ a, d }) => ({
      a: Math.sign(a - d) / 2,
      d: Math.sign(d - a) / 2,
    })),
    // With two classes both differ by as much; the distance is that of one of them.
    KS: estimate(largest, (pair) =>
      pair === farthest ? { a: Math.sign(pair.a - pair.d), d: Math.sign(pair.d - pair.a) } : { a: 0, d: 0 },
    ),
  };
}

interface Pair {
  a: number;
  d: number;
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function xLogXOverY(x: number, y: number): number {
  return x === 0 ? 0 : x * Math.log(x / y);
}

/** Each side is a multinomial sample of its own: variance of Σ slope · p̂ is (Σ p slope² - (Σ p slope)²) / n. */
function varianceOf(
  pairs: readonly Pair[],
  { slope, na, nd }: { slope: (pair: Pair) => Pair; na: number; nd: number },
): number {
  const side = (of: "a" | "d", n: number) => {
    const mean = pairs.reduce((sum, pair) => sum + pair[of] * slope(pair)[of], 0);
    const square = pairs.reduce((sum, pair) => sum + pair[of] * slope(pair)[of] ** 2, 0);
    return Math.max(0, square - mean * mean) / n;
  };
  return side("a", na) + side("d", nd);
}
