import { describe, expect, it } from "vitest";
import type { Dataset } from "./dataset.ts";
import { logisticMargin, trainLogisticRegression } from "./logistic-regression.ts";
import { sigmoid } from "./metrics.ts";

const options = { steps: 5000, stepSize: 0.5, penalty: 0 };

/** For one column of two values, the best fit is known exactly: the share of ones at each value. */
const twoGroups: Dataset = {
  featureNames: ["group", "constant"],
  labelName: "label",
  rows: [...Array(10)].map((_, row) => Float32Array.of(row < 5 ? 2 : 6, 9)),
  labels: [0, 0, 0, 0, 1, 0, 1, 1, 1, 1],
};

describe("trainLogisticRegression", () => {
  it("reaches the maximum of the likelihood", () => {
    const model = trainLogisticRegression(twoGroups, { ...options, columns: [0] });
    expect(sigmoid(logisticMargin(model, [2, 9]))).toBeCloseTo(0.2, 6);
    expect(sigmoid(logisticMargin(model, [6, 9]))).toBeCloseTo(0.8, 6);
  });

  it("looks at the chosen columns alone", () => {
    const model = trainLogisticRegression(twoGroups, { ...options, columns: [0] });
    expect(logisticMargin(model, [2, 9])).toBe(logisticMargin(model, [2, -1000]));
  });

  it("survives a column that never varies", () => {
    const model = trainLogisticRegression(twoGroups, { ...options, columns: [0, 1] });
    expect(sigmoid(logisticMargin(model, [6, 9]))).toBeCloseTo(0.8, 6);
  });

  it("shrinks its weights under a penalty", () => {
    const free = trainLogisticRegression(twoGroups, { ...options, columns: [0] });
    const held = trainLogisticRegression(twoGroups, { ...options, columns: [0], penalty: 1 });
    expect(Math.abs(held.weights[0] ?? 0)).toBeLessThan(Math.abs(free.weights[0] ?? 0) / 2);
  });
});
