import type { Dataset } from "./dataset.ts";
import { element } from "./element.ts";
import { sigmoid } from "./metrics.ts";
import { growTree, type RegressionTree, treeValue } from "./regression-tree.ts";

/** `probability = sigmoid(baseMargin + sum of the trees' leaf values)`. */
export interface BoostedTrees {
  baseMargin: number;
  trees: readonly RegressionTree[];
}

export interface BoostingOptions {
  trees: number;
  depthMax: number;
  /** Share of a tree's correction that is taken, 0 to 1. */
  learningRate: number;
  /** L2 penalty on leaf values. */
  penalty: number;
  /** A leaf holds at least this much curvature, so that no leaf stands on a row or two. */
  leafCurvatureMin: number;
}

/**
 * Gradient boosting with second-order leaf values for the log loss.
 * Source: Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", 2016, equations 5 to 7.
 */
export function trainBoostedTrees(data: Dataset, options: BoostingOptions): BoostedTrees {
  const positives = data.labels.filter((label) => label === 1).length;
  const baseMargin = Math.fround(Math.log(positives / (data.labels.length - positives)));
  const rowOrders = sortedRowsByColumn(data.rows);
  const margins = data.rows.map(() => baseMargin);
  const trees: RegressionTree[] = [];
  for (let count = 0; count < options.trees; count += 1) {
    const probabilities = margins.map(sigmoid);
    const tree = growTree({
      rows: data.rows,
      rowOrders,
      gradients: probabilities.map((probability, row) => probability - element(data.labels, row)),
      curvatures: probabilities.map((probability) => probability * (1 - probability)),
      ...options,
    });
    for (const [row, values] of data.rows.entries()) margins[row] = element(margins, row) + treeValue(tree, values);
    trees.push(tree);
  }
  return { baseMargin, trees };
}

/** The log-odds of the positive class. */
export function boostedMargin(model: BoostedTrees, row: ArrayLike<number>): number {
  return model.trees.reduce((total, tree) => total + treeValue(tree, row), model.baseMargin);
}

/** Sorting once, before the first tree, makes every later split a single pass over the rows. */
function sortedRowsByColumn(rows: readonly Float32Array[]): readonly Uint32Array[] {
  const columns = rows[0]?.length ?? 0;
  return Array.from({ length: columns }, (_, column) =>
    Uint32Array.from(rows.keys()).sort(
      (a, b) => element(element(rows, a), column) - element(element(rows, b), column) || a - b,
    ),
  );
}
