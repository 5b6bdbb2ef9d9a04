import { assert } from "../../core/error.ts";
import { element } from "./element.ts";

/** What a classifier reached on rows that it never saw; all shares are 0 to 1. */
export interface ClassifierMetrics {
  accuracy: number;
  /** Area under the ROC curve: the chance that a positive row scores above a negative one. */
  auc: number;
  /** Mean negative log-likelihood in nats; smaller is better. */
  logLoss: number;
  rows: number;
}

/** A predicted class is 1 above this probability. The exported graphs compare with the same number. */
export const DECISION_THRESHOLD = 0.5;

/** Keeps one confident mistake from making the whole loss infinite. */
const PROBABILITY_MIN = 1e-12;

export function classifierMetrics(probabilities: readonly number[], labels: readonly number[]): ClassifierMetrics {
  return {
    accuracy: accuracy(probabilities, labels),
    auc: areaUnderRoc(probabilities, labels),
    logLoss: meanLogLoss(probabilities, labels),
    rows: labels.length,
  };
}

export function accuracy(probabilities: readonly number[], labels: readonly number[]): number {
  const right = labels.filter((label, row) => label === (element(probabilities, row) > DECISION_THRESHOLD ? 1 : 0));
  return right.length / labels.length;
}

/** By the rank sum of Mann and Whitney; equal scores share the mean of their ranks. */
export function areaUnderRoc(scores: readonly number[], labels: readonly number[]): number {
  const positives = labels.filter((label) => label === 1).length;
  const negatives = labels.length - positives;
  assert(positives > 0 && negatives > 0, "a ROC curve needs rows of both classes");
  const order = scores.map((score, row) => ({ score, label: element(labels, row) })).sort((a, b) => a.score - b.score);
  let rankSum = 0;
  for (let first = 0; first < order.length; ) {
    let last = first;
    while (last + 1 < order.length && order[last + 1]?.score === order[first]?.score) last += 1;
    const tiedPositives = order.slice(first, last + 1).filter((entry) => entry.label === 1).length;
    rankSum += tiedPositives * ((first + last) / 2 + 1);
    first = last + 1;
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

function meanLogLoss(probabilities: readonly number[], labels: readonly number[]): number {
  const losses = labels.map((label, row) => {
    const probability = element(probabilities, row);
    return -Math.log(Math.max(PROBABILITY_MIN, label === 1 ? probability : 1 - probability));
  });
  return losses.reduce((total, loss) => total + loss, 0) / labels.length;
}

export function sigmoid(margin: number): number {
  return 1 / (1 + Math.exp(-margin));
}
