import { blockOf, type CalibrationBlock } from "./calibration.ts";
import { type Estimate, normalEstimate, undefinedBecause } from "./estimate.ts";
import type { ScoreCounts } from "./score-counts.ts";

/** What can be estimated without labels. In a plan's thresholds each is called `estimated_` and this. */
export const ESTIMATED_METRICS = ["accuracy", "precision", "recall", "f1", "auc"] as const;
export type EstimatedMetric = (typeof ESTIMATED_METRICS)[number];

export interface ExpectedConfusion {
  truePositives: number;
  falsePositives: number;
  falseNegatives: number;
  trueNegatives: number;
}

export interface EstimatedQuality {
  confusion: ExpectedConfusion;
  metrics: Record<EstimatedMetric, Estimate>;
}

/**
 * Quality without labels, from scores alone: with calibrated probabilities each answer is expected to be right with a
 * known chance, and the expected confusion matrix is the sum (confidence-based performance estimation, NannyML
 * documentation; its own words "assumes no concept drift"). It answers "how good would the model be on such inputs if
 * each score still meant what it meant on the baseline", and cannot see that scores mean something else now.
 *
 * `answers` holds every score once, whatever its class. The interval has two sources of error: labels fall by chance
 * around their probabilities, and each calibration block is only as sure as the labels it was made from. The area under
 * the curve has none.
 */
export function estimateQuality(
  answers: ScoreCounts,
  from: { calibration: readonly CalibrationBlock[]; decisionThreshold: number; confidence: number },
): EstimatedQuality {
  const { calibration, decisionThreshold, confidence } = from;
  const parts = calibration.map(() => ({ above: 0, below: 0 }));
  for (const { score, negatives, positives } of answers.sorted()) {
    const part = parts[blockOf(calibration, score)];
    if (part !== undefined) part[score >= decisionThreshold ? "above" : "below"] += negatives + positives;
  }
  const blocks = parts.map((part, at) => ({ ...part, ...chanceOf(calibration[at]) }));
  const sum = (of: (block: Block) => number) => blocks.reduce((total, block) => total + of(block), 0);
  const confusion = {
    truePositives: sum(({ above, share }) => above * share),
    falsePositives: sum(({ above, share }) => above * (1 - share)),
    falseNegatives: sum(({ below, share }) => below * share),
    trueNegatives: sum(({ below, share }) => below * (1 - share)),
  };
  const { truePositives: tp, falsePositives: fp, falseNegatives: fn, trueNegatives: tn } = confusion;
  const ratio = (how: Ratio) => ratioOf(blocks, { ...how, confidence });
  return {
    confusion,
    metrics: {
      accuracy: ratio({ top: tp + tn, bottom: tp + fp + fn + tn, slope: { top: [1, -1], bottom: [0, 0] } }),
      precision: ratio({ top: tp, bottom: tp + fp, slope: { top: [1, 0], bottom: [0, 0] } }),
      recall: ratio({ top: tp, bottom: tp + fn, slope: { top: [1, 0], bottom: [1, 1] } }),
      f1: ratio({ top: 2 * tp, bottom: 2 * tp + fp + fn, slope: { top: [2, 0], bottom: [1, 1] } }),
      auc: expectedArea(answers, calibration),
    },
  };
}

interface Block {
  above: number;
  below: number;
  share: number;
  /** Variance of the share itself, as the baseline leaves it. */
  shareVariance: number;
}

function chanceOf(block: CalibrationBlock | undefined): { share: number; shareVariance: number } {
  if (block === undefined) return { share: 0, shareVariance: 0 };
  // With one more of each class: a block in which all were alike is not certain.
  const towardsHalf = (block.share * block.n + 1) / (block.n + 2);
  return { share: block.share, shareVariance: (towardsHalf * (1 - towardsHalf)) / block.n };
}

/** How top and bottom change with one more positive above the decision threshold, and with one more below it. */
interface Ratio {
  top: number;
  bottom: number;
  slope: { top: readonly [number, number]; bottom: readonly [number, number] };
}

/** Delta method for a ratio of two sums that are linear in the positives above and below the threshold. */
function ratioOf(
  blocks: readonly Block[],
  { top, bottom, slope, confidence }: Ratio & { confidence: number },
): Estimate {
  if (!(bottom > 0)) return undefinedBecause("nothing is expected to count");
  const value = top / bottom;
  const per = (side: 0 | 1) => (slope.top[side] - value * slope.bottom[side]) / bottom;
  let variance = 0;
  for (const { above, below, share, shareVariance } of blocks) {
    variance += share * (1 - share) * (above * per(0) ** 2 + below * per(1) ** 2);
    variance += shareVariance * (above * per(0) + below * per(1)) ** 2;
  }
  return normalEstimate(value, { variance, confidence, least: 0, most: 1 });
}

function expectedArea(answers: ScoreCounts, calibration: readonly CalibrationBlock[]): Estimate {
  let positives = 0;
  let negatives = 0;
  let area = 0;
  for (const each of answers.sorted()) {
    const count = each.positives + each.negatives;
    const share = calibration[blockOf(calibration, each.score)]?.share ?? 0;
    area += count * share * (negatives + (count * (1 - share)) / 2);
    positives += count * share;
    negatives += count * (1 - share);
  }
  if (positives === 0 || negatives === 0) return undefinedBecause("only one class is expected");
  return { value: area / (positives * negatives), reason: null, standardError: null, interval: null };
}
