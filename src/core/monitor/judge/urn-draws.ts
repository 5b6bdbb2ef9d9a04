/**
 * Uniform draws from a seed, whose whole state is one number (mulberry32, T. Ettinger's public-domain algorithm), so
 * that a test that breaks ties by chance can be stored and goes on as if it had never stopped.
 */
export class SeededDraws {
  state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/**
 * The `rank`-th smallest of `of` independent uniform draws, i.e. a Beta(rank, of + 1 - rank) variable, from two Gamma
 * variables (Marsaglia & Tsang 2000) rather than from `of` draws: a value may stand a million times in a baseline.
 */
export function orderStatistic(options: { rank: number; of: number; draws: SeededDraws }): number {
  const low = gamma(options.rank, options.draws);
  const high = gamma(options.of + 1 - options.rank, options.draws);
  return low / (low + high);
}

/** Gamma(shape) for shape >= 1 by Marsaglia and Tsang's squeeze. */
function gamma(shape: number, draws: SeededDraws): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(draws);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - draws.next()) < x * x * 0.5 + d - d * v + d * Math.log(v)) return d * v;
  }
}

function normal(draws: SeededDraws): number {
  return Math.sqrt(-2 * Math.log(1 - draws.next())) * Math.cos(2 * Math.PI * draws.next());
}
