import type { Dataset } from "./dataset.ts";
import { element } from "./element.ts";
import { sigmoid } from "./metrics.ts";

/** `probability = sigmoid(intercept + sum of weight x (value - mean) / deviation)` over the chosen columns. */
export interface LogisticRegression {
  columns: readonly number[];
  means: readonly number[];
  deviations: readonly number[];
  weights: readonly number[];
  intercept: number;
}

export interface LogisticRegressionOptions {
  /** Indices of the columns that the model may look at. */
  columns: readonly number[];
  steps: number;
  /** Of plain gradient descent on standardised columns. */
  stepSize: number;
  /** Strength of the L2 penalty on the weights, per row. */
  penalty: number;
}

export function trainLogisticRegression(data: Dataset, options: LogisticRegressionOptions): LogisticRegression {
  const scales = options.columns.map((column) => columnScale(data.rows, column));
  const standardised = data.rows.map((row) =>
    options.columns.map((column, place) => {
      const { mean, deviation } = element(scales, place);
      return (element(row, column) - mean) / deviation;
    }),
  );
  let weights = options.columns.map(() => 0);
  let intercept = 0;
  for (let step = 0; step < options.steps; step += 1) {
    const gradient = lossGradient({ rows: standardised, labels: data.labels, weights, intercept });
    weights = weights.map(
      (weight, place) => weight - options.stepSize * (element(gradient.weights, place) + options.penalty * weight),
    );
    intercept -= options.stepSize * gradient.intercept;
  }
  return {
    columns: options.columns,
    means: scales.map((scale) => scale.mean),
    deviations: scales.map((scale) => scale.deviation),
    weights,
    intercept,
  };
}

/** The log-odds of the positive class. */
export function logisticMargin(model: LogisticRegression, row: ArrayLike<number>): number {
  const terms = model.columns.map((column, place) => {
    const distance = element(row, column) - element(model.means, place);
    return (element(model.weights, place) * distance) / element(model.deviations, place);
  });
  return terms.reduce((total, term) => total + term, model.intercept);
}

function columnScale(rows: readonly Float32Array[], column: number): { mean: number; deviation: number } {
  const values = rows.map((row) => element(row, column));
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length;
  // Both are rounded as the exported graph stores them, so that it computes with the very same numbers.
  return { mean: Math.fround(mean), deviation: Math.fround(Math.sqrt(variance)) || 1 };
}

function lossGradient(at: {
  rows: readonly (readonly number[])[];
  labels: readonly number[];
  weights: readonly number[];
  intercept: number;
}): { weights: readonly number[]; intercept: number } {
  const sums = new Float64Array(at.weights.length);
  let interceptSum = 0;
  for (const [index, row] of at.rows.entries()) {
    let margin = at.intercept;
    for (let place = 0; place < row.length; place += 1) margin += element(row, place) * element(at.weights, place);
    const residual = sigmoid(margin) - element(at.labels, index);
    for (let place = 0; place < row.length; place += 1) {
      sums[place] = element(sums, place) + residual * element(row, place);
    }
    interceptSum += residual;
  }
  return {
    weights: Array.from(sums, (sum) => sum / at.rows.length),
    intercept: interceptSum / at.rows.length,
  };
}
