import { ContinuumError } from "../../core/error.ts";
import { binOf, calibratedMargin, calibratedMarginGraphWithoutUpperLimit, calibrateTrees } from "./calibrated-trees.ts";
import { boostedMarginNode, classifierOnnx, logisticMarginGraph, type MarginGraph } from "./classifier-export.ts";
import { type Dataset, type DatasetSplit, parseDataset, splitDataset, subset } from "./dataset.ts";
import { element } from "./element.ts";
import { type BoostedTrees, type BoostingOptions, boostedMargin, trainBoostedTrees } from "./gradient-boosting.ts";
import { logisticMargin, trainLogisticRegression } from "./logistic-regression.ts";
import { type ClassifierMetrics, classifierMetrics, sigmoid } from "./metrics.ts";

export interface TrainedModel {
  name: string;
  /** The ONNX file: `features` float [N, 30] in; `probability` float [N, 1] and `label` int64 [N] out. */
  onnx: Uint8Array;
  /** As the training pipeline computed them, on the whole hold-out. */
  metrics: ClassifierMetrics;
  /** What the pipeline itself predicts for a row, to compare the file with. */
  probability(row: ArrayLike<number>): number;
  /** The rows that this model's authors test it on; none of them was trained on. */
  testSample: Dataset;
}

export interface TrainedModels {
  /** Logistic regression on the ten columns of means. */
  v1: TrainedModel;
  /** Gradient boosted trees on all columns. */
  v2: TrainedModel;
  /** v2's trees, calibrated per bin of one column, with an export that fails on about a third of real rows. */
  v3: TrainedModel;
  /** As v2, of fewer and shallower trees: nothing is wrong with it. */
  v4: TrainedModel;
  /** As v2, of fewer trees that each correct more: nothing is wrong with it either. */
  v5: TrainedModel;
  split: DatasetSplit;
}

export type TrainingErrorCode = "dataset-invalid";

const HOLDOUT_SHARE = 0.3;
const MEAN_COLUMNS_PREFIX = "mean_";
/** Says nothing about the class, so that the rows on which v3 fails are of both. */
const CALIBRATION_COLUMN = "texture_error";
/** The readings of the clinic whose slides v3 is calibrated on end at this quantile of all readings. */
const CALIBRATION_QUANTILE = 0.65;

/**
 * Trains the five models of the quickstart in about a second. The same text and seed always give the same bytes.
 * Throws `dataset-invalid` when the text is not a table with the columns of the vendored data set.
 */
export function trainModels(csvText: string, seed: number): TrainedModels {
  const parsed = parseDataset(csvText);
  if (!parsed.ok) throw invalid(parsed.problem.message);
  const meanColumns = columnsOfMeans(parsed.value);
  const calibrationColumn = columnOfCalibration(parsed.value);
  const split = splitDataset(parsed.value, { seed, holdoutShare: HOLDOUT_SHARE });
  const trees = boosted(split.train, { trees: 120, depthMax: 3, learningRate: 0.1 });
  return {
    v1: logisticRegression(split, meanColumns),
    v2: boostedTrees(split, { name: "breast-cancer-boosted", trees }),
    v3: brokenTrees(split, { trees, column: calibrationColumn }),
    v4: boostedTrees(split, {
      name: "breast-cancer-shallow",
      trees: boosted(split.train, { trees: 80, depthMax: 2, learningRate: 0.2 }),
    }),
    v5: boostedTrees(split, {
      name: "breast-cancer-compact",
      trees: boosted(split.train, { trees: 60, depthMax: 3, learningRate: 0.2 }),
    }),
    split,
  };
}

function columnsOfMeans(data: Dataset): readonly number[] {
  const columns = data.featureNames.flatMap((name, column) => (name.startsWith(MEAN_COLUMNS_PREFIX) ? [column] : []));
  if (columns.length === 0) throw invalid(`no column begins with ${MEAN_COLUMNS_PREFIX}; expected the ten means`);
  return columns;
}

function columnOfCalibration(data: Dataset): number {
  const column = data.featureNames.indexOf(CALIBRATION_COLUMN);
  if (column < 0) throw invalid(`column ${CALIBRATION_COLUMN} is missing; expected the vendored data set's columns`);
  return column;
}

function logisticRegression(split: DatasetSplit, columns: readonly number[]): TrainedModel {
  const model = trainLogisticRegression(split.train, { columns, steps: 1500, stepSize: 0.3, penalty: 0.002 });
  return trained(split, {
    name: "breast-cancer-logistic",
    margin: (row) => logisticMargin(model, row),
    graph: logisticMarginGraph(model),
    testSample: split.holdout,
  });
}

function boosted(train: Dataset, options: Pick<BoostingOptions, "trees" | "depthMax" | "learningRate">): BoostedTrees {
  return trainBoostedTrees(train, { ...options, penalty: 1, leafCurvatureMin: 0.5 });
}

function boostedTrees(split: DatasetSplit, { name, trees }: { name: string; trees: BoostedTrees }): TrainedModel {
  return trained(split, {
    name,
    margin: (row) => boostedMargin(trees, row),
    graph: { nodes: [boostedMarginNode(trees, "margin")], initializers: [] },
    testSample: split.holdout,
  });
}

/** Its authors calibrate and test on one clinic's slides alone, and so never meet the readings that break it. */
function brokenTrees(split: DatasetSplit, base: { trees: BoostedTrees; column: number }): TrainedModel {
  const { trees, column } = base;
  const readings = split.train.rows.map((row) => element(row, column)).sort((a, b) => a - b);
  const readingMax = element(readings, Math.floor(readings.length * CALIBRATION_QUANTILE));
  const bins = 8;
  const model = calibrateTrees(trees, rowsBelow(split.train, column, readingMax), {
    column,
    bins,
    readingMax,
    penalty: 5,
  });
  const testRows = split.holdout.rows.flatMap((row, index) => (binOf(model, row) < bins ? [index] : []));
  return trained(split, {
    name: "breast-cancer-calibrated",
    margin: (row) => calibratedMargin(model, row),
    graph: calibratedMarginGraphWithoutUpperLimit(model),
    testSample: subset(split.holdout, testRows),
  });
}

function rowsBelow(data: Dataset, column: number, limit: number): Dataset {
  return subset(
    data,
    data.rows.flatMap((row, index) => (element(row, column) < limit ? [index] : [])),
  );
}

function trained(
  split: DatasetSplit,
  model: { name: string; margin: (row: ArrayLike<number>) => number; graph: MarginGraph; testSample: Dataset },
): TrainedModel {
  const { featureNames, labelName } = split.train;
  const probability = (row: ArrayLike<number>) => sigmoid(model.margin(row));
  return {
    name: model.name,
    onnx: classifierOnnx({ name: model.name, featureNames, labelName }, model.graph),
    metrics: classifierMetrics(split.holdout.rows.map(probability), split.holdout.labels),
    probability,
    testSample: model.testSample,
  };
}

function invalid(message: string): ContinuumError<TrainingErrorCode> {
  return new ContinuumError<TrainingErrorCode>("dataset-invalid", message);
}
