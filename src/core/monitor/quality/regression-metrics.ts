import { type Estimate, normalEstimate, undefinedBecause } from "./estimate.ts";

/** As SageMaker Model Monitor names them, in its order. */
export const REGRESSION_METRICS = ["mae", "mse", "rmse", "r2"] as const;
export type RegressionMetric = (typeof REGRESSION_METRICS)[number];

/** Sums over labelled answers; `u` is the label less `shift`, so that squares of large labels lose no digits. */
export interface RegressionState {
  n: number;
  shift: number;
  /** Of |error|, error², error⁴. */
  absolute: number;
  squared: number;
  fourth: number;
  /** Of u, u², u³, u⁴. */
  u: [number, number, number, number];
  /** Of error² u and error² u². */
  mixed: [number, number];
}

/** Errors of a regression, mergeable, in twelve numbers. What is not finite is for the caller to leave out. */
export class RegressionSums {
  #state: RegressionState = {
    ...{ n: 0, shift: 0, absolute: 0, squared: 0, fourth: 0 },
    ...{ u: [0, 0, 0, 0], mixed: [0, 0] },
  };

  add(predicted: number, label: number): void {
    if (this.#state.n === 0) this.#state.shift = label;
    const state = this.#state;
    const error = predicted - label;
    const e2 = error * error;
    const u = label - state.shift;
    state.n += 1;
    state.absolute += Math.abs(error);
    state.squared += e2;
    state.fourth += e2 * e2;
    state.u = [state.u[0] + u, state.u[1] + u * u, state.u[2] + u ** 3, state.u[3] + u ** 4];
    state.mixed = [state.mixed[0] + e2 * u, state.mixed[1] + e2 * u * u];
  }

  merge(other: RegressionSums): void {
    const theirs = other.#state;
    if (theirs.n === 0) return;
    if (this.#state.n === 0) {
      this.#state = other.toState();
      return;
    }
    const mine = this.#state;
    const d = theirs.shift - mine.shift;
    const [u1, u2, u3, u4] = theirs.u;
    const moved = [
      u1 + theirs.n * d,
      u2 + 2 * d * u1 + theirs.n * d ** 2,
      u3 + 3 * d * u2 + 3 * d ** 2 * u1 + theirs.n * d ** 3,
      u4 + 4 * d * u3 + 6 * d ** 2 * u2 + 4 * d ** 3 * u1 + theirs.n * d ** 4,
    ] as const;
    const [m1, m2] = theirs.mixed;
    mine.u = [mine.u[0] + moved[0], mine.u[1] + moved[1], mine.u[2] + moved[2], mine.u[3] + moved[3]];
    mine.mixed = [mine.mixed[0] + m1 + d * theirs.squared, mine.mixed[1] + m2 + 2 * d * m1 + d * d * theirs.squared];
    mine.n += theirs.n;
    mine.absolute += theirs.absolute;
    mine.squared += theirs.squared;
    mine.fourth += theirs.fourth;
  }

  get n(): number {
    return this.#state.n;
  }

  toState(): RegressionState {
    return { ...this.#state, u: [...this.#state.u], mixed: [...this.#state.mixed] };
  }

  static fromState(state: RegressionState): RegressionSums {
    const made = new RegressionSums();
    made.#state = { ...state, u: [...state.u], mixed: [...state.mixed] };
    return made;
  }
}

/**
 * Means have their normal interval (central limit theorem); rmse is the root of mse's; r2 = 1 - mse / variance of the
 * labels has the delta method's, in which error² and the labels' squared distance from their mean vary together.
 */
export function regressionMetrics(sums: RegressionSums, confidence: number): Record<RegressionMetric, Estimate> {
  const { n, absolute, squared, fourth } = sums.toState();
  if (n === 0) {
    const none = undefinedBecause("no labelled answers");
    return { mae: none, mse: none, rmse: none, r2: none };
  }
  const mean = (sum: number) => sum / n;
  const varianceOfMean = (square: number, value: number) => Math.max(0, mean(square) - value * value) / n;
  const mae = normalEstimate(mean(absolute), {
    ...{ variance: varianceOfMean(squared, mean(absolute)), confidence, least: 0 },
  });
  const mse = normalEstimate(mean(squared), { variance: varianceOfMean(fourth, mean(squared)), confidence, least: 0 });
  return { mae, mse, rmse: rootOf(mse), r2: explained(sums.toState(), confidence) };
}

function rootOf({ value, interval, standardError, reason }: Estimate): Estimate {
  if (value === null || interval === null) return { value, interval, standardError, reason };
  const root = Math.sqrt(value);
  return {
    value: root,
    reason,
    standardError: root === 0 || standardError === null ? standardError : standardError / (2 * root),
    interval: { ...interval, low: Math.sqrt(interval.low), high: Math.sqrt(interval.high) },
  };
}

function explained({ n, squared, fourth, u, mixed }: RegressionState, confidence: number): Estimate {
  if (n < 2) return undefinedBecause("r2 needs two labels");
  const [m1 = 0, m2 = 0, m3 = 0, m4 = 0] = u.map((sum) => sum / n);
  const spread = m2 - m1 * m1;
  if (!(spread > 1e-12 * Math.max(m2, Number.MIN_VALUE))) return undefinedBecause("all labels are the same");
  const mse = squared / n;
  const ratio = mse / spread;
  const centralFourth = m4 - 4 * m1 * m3 + 6 * m1 ** 2 * m2 - 3 * m1 ** 4;
  const together = mixed[1] / n - 2 * m1 * (mixed[0] / n) + m1 * m1 * mse;
  const ofErrors = fourth / n - mse * mse;
  const ofSpread = centralFourth - spread * spread;
  const covariance = together - mse * spread;
  const variance = (ofErrors - 2 * ratio * covariance + ratio * ratio * ofSpread) / (spread * spread) / n;
  return normalEstimate(1 - ratio, { variance, confidence, most: 1 });
}
