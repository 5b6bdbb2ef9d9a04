import { boostedMarginNode, INT64, type MarginGraph } from "./classifier-export.ts";
import type { Dataset } from "./dataset.ts";
import { element } from "./element.ts";
import { type BoostedTrees, boostedMargin } from "./gradient-boosting.ts";
import { sigmoid } from "./metrics.ts";

/** Boosted trees and a correction of the log-odds per bin of one column. */
export interface CalibratedTrees {
  base: BoostedTrees;
  column: number;
  /** Bins per unit of the column, as a 32-bit float; bin 0 begins at 0. */
  binsPerUnit: number;
  /** One correction per bin that the calibration sample reached. */
  corrections: readonly number[];
}

/** Fits one damped Newton step per bin. Bins end where the calibration sample ends. */
export function calibrateTrees(
  base: BoostedTrees,
  sample: Dataset,
  options: { column: number; bins: number; readingMax: number; penalty: number },
): CalibratedTrees {
  const binsPerUnit = Math.fround(options.bins / options.readingMax);
  const gradients = new Float64Array(options.bins);
  const curvatures = new Float64Array(options.bins);
  for (const [index, row] of sample.rows.entries()) {
    const bin = Math.min(options.bins - 1, binOf({ column: options.column, binsPerUnit }, row));
    const probability = sigmoid(boostedMargin(base, row));
    gradients[bin] = element(gradients, bin) + element(sample.labels, index) - probability;
    curvatures[bin] = element(curvatures, bin) + probability * (1 - probability);
  }
  const corrections = Array.from(gradients, (gradient, bin) =>
    Math.fround(gradient / (element(curvatures, bin) + options.penalty)),
  );
  return { base, column: options.column, binsPerUnit, corrections };
}

/** The log-odds as the training pipeline computes them: a reading past the last bin takes the last bin. */
export function calibratedMargin(model: CalibratedTrees, row: ArrayLike<number>): number {
  const bin = Math.min(model.corrections.length - 1, binOf(model, row));
  return boostedMargin(model.base, row) + element(model.corrections, bin);
}

/** The bin of a row before any upper limit. */
export function binOf(model: { column: number; binsPerUnit: number }, row: ArrayLike<number>): number {
  return Math.max(0, Math.floor(Math.fround(element(row, model.column) * model.binsPerUnit)));
}

/**
 * The graph of the broken model. The defect is deliberate: the pipeline above stops at the last bin, and this export
 * does not, so that a reading past the table asks `Gather` for an entry that does not exist and the run fails. It is
 * the kind of slip that a rollout must survive: the file is valid, it loads, and it answers what its authors tried.
 */
export function calibratedMarginGraphWithoutUpperLimit(model: CalibratedTrees): MarginGraph {
  return {
    nodes: [
      boostedMarginNode(model.base, "base_margin"),
      {
        operator: "Gather",
        inputs: ["features", "binned_column"],
        outputs: ["reading"],
        attributes: { axis: { kind: "int", value: 1 } },
      },
      { operator: "Mul", inputs: ["reading", "bins_per_unit"], outputs: ["scaled"] },
      { operator: "Relu", inputs: ["scaled"], outputs: ["not_negative"] },
      { operator: "Floor", inputs: ["not_negative"], outputs: ["bin_as_float"] },
      { operator: "Cast", inputs: ["bin_as_float"], outputs: ["bin"], attributes: { to: INT64 } },
      { operator: "Gather", inputs: ["corrections", "bin"], outputs: ["correction"] },
      { operator: "Add", inputs: ["base_margin", "correction"], outputs: ["margin"] },
    ],
    initializers: [
      { name: "binned_column", type: "int64", shape: [1], values: [model.column] },
      { name: "bins_per_unit", type: "float", shape: [], values: [model.binsPerUnit] },
      { name: "corrections", type: "float", shape: [model.corrections.length], values: model.corrections },
    ],
  };
}
