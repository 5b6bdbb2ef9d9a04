/**
 * The sum of finite numbers with an error that does not grow with how many there are: what each addition loses is kept
 * beside the sum and given back at the end. Neumaier, ZAMM 54 (1974), 39-51. An infinity or NaN among them gives what
 * plain addition gives.
 */
export class CompensatedSum {
  #sum = 0;
  #lost = 0;

  add(value: number): void {
    const next = this.#sum + value;
    this.#lost += Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - next + value : value - next + this.#sum;
    this.#sum = next;
  }

  get value(): number {
    // Beside an infinity what was lost is NaN, and the sum alone is right.
    return Number.isFinite(this.#sum) ? this.#sum + this.#lost : this.#sum;
  }
}

export function compensatedSum(values: Iterable<number>): number {
  const sum = new CompensatedSum();
  for (const value of values) sum.add(value);
  return sum.value;
}

/** Mean and deviation of a sample. The deviation is the population's (divided by n), as the peers norm by. */
export interface SampleMoments {
  count: number;
  /** 0 of no values. */
  mean: number;
  /** 0 of no values and of equal ones, exactly. */
  standardDeviation: number;
}

/**
 * In two passes, so that a large mean takes nothing from a small deviation; the second pass corrects for what the mean
 * itself was rounded by (Chan, Golub & LeVeque, The American Statistician 37 (1983), 242-247, formula 1.7).
 */
export function momentsOf(values: ArrayLike<number>): SampleMoments {
  const count = values.length;
  if (count === 0) return { count, mean: 0, standardDeviation: 0 };
  const sum = new CompensatedSum();
  for (let index = 0; index < count; index++) sum.add(values[index] ?? 0);
  const mean = sum.value / count;
  const squares = new CompensatedSum();
  const deviations = new CompensatedSum();
  const first = values[0] ?? 0;
  let isConstant = true;
  for (let index = 0; index < count; index++) {
    const value = values[index] ?? 0;
    if (value !== first) isConstant = false;
    squares.add((value - mean) * (value - mean));
    deviations.add(value - mean);
  }
  if (isConstant) return { count, mean: first, standardDeviation: 0 };
  const variance = (squares.value - (deviations.value * deviations.value) / count) / count;
  return { count, mean, standardDeviation: Math.sqrt(Math.max(0, variance)) };
}
