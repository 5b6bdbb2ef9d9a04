import { type Estimate, proportion, shareWithVariance, undefinedBecause } from "./estimate.ts";

/** Labelled answers by true class and then by predicted class. */
export type Confusion = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** As SageMaker Model Monitor names them, in its order. */
export const MULTICLASS_METRICS = [
  "accuracy",
  "weighted_recall",
  "weighted_precision",
  "weighted_f0_5",
  "weighted_f1",
  "weighted_f2",
  "accuracy_best_constant_classifier",
  "weighted_recall_best_constant_classifier",
  "weighted_precision_best_constant_classifier",
  "weighted_f0_5_best_constant_classifier",
  "weighted_f1_best_constant_classifier",
  "weighted_f2_best_constant_classifier",
] as const;
export type MulticlassMetric = (typeof MULTICLASS_METRICS)[number];

/**
 * Means over the classes, weighted by how many true labels each has. A class that was never predicted counts with
 * precision 0, as in Spark and scikit-learn: somebody asked for it and never got it. The best constant classifier always
 * answers the most frequent label. Accuracy has Wilson's interval, the weighted means the delta method's.
 */
export function multiclassMetrics(confusion: Confusion, confidence: number): Record<MulticlassMetric, Estimate> {
  const cells = cellsOf(confusion);
  const constant = alwaysMostFrequent(cells);
  return {
    ...ofCells(cells, confidence),
    ...Object.fromEntries(
      Object.entries(ofCells(constant, confidence)).map(([name, value]) => [`${name}_best_constant_classifier`, value]),
    ),
  } as Record<MulticlassMetric, Estimate>;
}

interface Cell {
  label: string;
  predicted: string;
  count: number;
}

function cellsOf(confusion: Confusion): Cell[] {
  return [...confusion].flatMap(([label, row]) =>
    [...row].filter(([, count]) => count > 0).map(([predicted, count]) => ({ label, predicted, count })),
  );
}

function alwaysMostFrequent(cells: readonly Cell[]): Cell[] {
  const { supports } = marginsOf(cells);
  const [most] = [...supports].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return most === undefined ? [] : [...supports].map(([label, count]) => ({ label, predicted: most[0], count }));
}

function ofCells(cells: readonly Cell[], confidence: number): Record<string, Estimate> {
  const all = cells.reduce((sum, { count }) => sum + count, 0);
  const right = cells.reduce((sum, { label, predicted, count }) => sum + (label === predicted ? count : 0), 0);
  const accuracy = proportion(right, all, { confidence, empty: "no labelled answers" });
  const weighted = (beta: number | "precision") => weightedMean(cells, { beta, all, confidence });
  return {
    accuracy,
    weighted_recall: accuracy,
    weighted_precision: weighted("precision"),
    weighted_f0_5: weighted(0.5),
    weighted_f1: weighted(1),
    weighted_f2: weighted(2),
  };
}

interface Margins {
  /** True labels of each class. */
  supports: Map<string, number>;
  /** Predictions of each class. */
  predictions: Map<string, number>;
  right: Map<string, number>;
}

function marginsOf(cells: readonly Cell[]): Margins {
  const margins: Margins = { supports: new Map(), predictions: new Map(), right: new Map() };
  const add = (map: Map<string, number>, key: string, count: number) => map.set(key, (map.get(key) ?? 0) + count);
  for (const { label, predicted, count } of cells) {
    add(margins.supports, label, count);
    add(margins.predictions, predicted, count);
    if (label === predicted) add(margins.right, label, count);
  }
  return margins;
}

/**
 * G = Σ s_c M_c / n with M_c = w TP_c / (u s_c + v q_c): for an F measure w = 1 + b², u = b², v = 1; for precision
 * w = v = 1 and u = 0. The slope of G in each cell of the table gives its variance over one multinomial draw.
 */
function weightedMean(
  cells: readonly Cell[],
  { beta, all, confidence }: { beta: number | "precision"; all: number; confidence: number },
): Estimate {
  if (all === 0) return undefinedBecause("no labelled answers");
  const [w, u, v] = beta === "precision" ? [1, 0, 1] : [1 + beta * beta, beta * beta, 1];
  const { supports, predictions, right } = marginsOf(cells);
  const of = (name: string) => {
    const support = supports.get(name) ?? 0;
    const denominator = u * support + v * (predictions.get(name) ?? 0);
    const measure = denominator === 0 ? 0 : (w * (right.get(name) ?? 0)) / denominator;
    return { support, denominator, measure };
  };
  const value = [...supports.keys()].reduce((sum, name) => sum + of(name).support * of(name).measure, 0) / all;
  let mean = 0;
  let square = 0;
  for (const { label, predicted, count } of cells) {
    const l = of(label);
    const p = of(predicted);
    let slope = l.measure;
    if (l.denominator > 0) slope -= (l.support * l.measure * u) / l.denominator;
    if (p.denominator > 0) slope -= (p.support * p.measure * v) / p.denominator;
    if (label === predicted && l.denominator > 0) slope += (l.support * w) / l.denominator;
    mean += (count / all) * slope;
    square += (count / all) * slope * slope;
  }
  return shareWithVariance(value, { variance: (square - mean * mean) / all, nLeast: all, confidence });
}
