import { type Estimate, proportion, shareWithVariance, undefinedBecause } from "./estimate.ts";
import type { ScoreCounts } from "./score-counts.ts";
import { areaUnderCurve } from "./score-curves.ts";

/** Labelled answers of a binary problem: predicted against true. */
export interface BinaryConfusion {
  truePositives: number;
  falsePositives: number;
  falseNegatives: number;
  trueNegatives: number;
}

/** As SageMaker Model Monitor names them, in its order. */
export const BINARY_METRICS = [
  "recall",
  "precision",
  "accuracy",
  "recall_best_constant_classifier",
  "precision_best_constant_classifier",
  "accuracy_best_constant_classifier",
  "true_positive_rate",
  "true_negative_rate",
  "false_positive_rate",
  "false_negative_rate",
  "auc",
  "f0_5",
  "f1",
  "f2",
  "f0_5_best_constant_classifier",
  "f1_best_constant_classifier",
  "f2_best_constant_classifier",
] as const;
export type BinaryMetric = (typeof BINARY_METRICS)[number];

/**
 * Shares have Wilson's interval, F measures the delta method's, the area DeLong's. The best constant classifier is the
 * one that always answers "positive", as in AWS's page of model quality metrics; it is what a model must beat.
 */
export function binaryMetrics(
  from: { confusion: BinaryConfusion; scores: ScoreCounts },
  confidence: number,
): Record<BinaryMetric, Estimate> {
  const { truePositives: tp, falsePositives: fp, falseNegatives: fn, trueNegatives: tn } = from.confusion;
  const share = (successes: number, n: number, empty: string) => proportion(successes, n, { confidence, empty });
  const positives = tp + fn;
  const negatives = tn + fp;
  const all = positives + negatives;
  const constant = { truePositives: positives, falsePositives: negatives, falseNegatives: 0, trueNegatives: 0 };
  const recall = share(tp, positives, "no positive labels");
  const baseRate = share(positives, all, "no labelled answers");
  return {
    recall,
    precision: share(tp, tp + fp, "nothing was predicted positive"),
    accuracy: share(tp + tn, all, "no labelled answers"),
    recall_best_constant_classifier: share(positives, positives, "no positive labels"),
    precision_best_constant_classifier: baseRate,
    accuracy_best_constant_classifier: baseRate,
    true_positive_rate: recall,
    true_negative_rate: share(tn, negatives, "no negative labels"),
    false_positive_rate: share(fp, negatives, "no negative labels"),
    false_negative_rate: share(fn, positives, "no positive labels"),
    auc: areaUnderCurve(from.scores, confidence),
    f0_5: fMeasure(from.confusion, { beta: 0.5, confidence }),
    f1: fMeasure(from.confusion, { beta: 1, confidence }),
    f2: fMeasure(from.confusion, { beta: 2, confidence }),
    f0_5_best_constant_classifier: fMeasure(constant, { beta: 0.5, confidence }),
    f1_best_constant_classifier: fMeasure(constant, { beta: 1, confidence }),
    f2_best_constant_classifier: fMeasure(constant, { beta: 2, confidence }),
  };
}

/**
 * F = (1 + b²) TP / ((1 + b²) TP + b² FN + FP). Its variance by the delta method over the three counts as one
 * multinomial draw; true negatives take no part in it.
 */
export function fMeasure(
  { truePositives: tp, falsePositives: fp, falseNegatives: fn }: BinaryConfusion,
  { beta, confidence }: { beta: number; confidence: number },
): Estimate {
  const n = tp + fp + fn;
  if (n === 0) return undefinedBecause("no positive labels and no positive predictions");
  const b2 = beta * beta;
  const denominator = (1 + b2) * tp + b2 * fn + fp;
  const value = ((1 + b2) * tp) / denominator;
  const slopes = [
    { count: tp, slope: ((1 + b2) * (1 - value)) / denominator },
    { count: fn, slope: (-b2 * value) / denominator },
    { count: fp, slope: -value / denominator },
  ];
  const mean = slopes.reduce((sum, { count, slope }) => sum + count * slope, 0);
  const square = slopes.reduce((sum, { count, slope }) => sum + count * slope * slope, 0);
  return shareWithVariance(value, { variance: square - (mean * mean) / n, nLeast: n, confidence });
}
