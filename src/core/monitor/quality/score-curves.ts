import { type Estimate, shareWithVariance, undefinedBecause } from "./estimate.ts";
import type { ScoreCounts } from "./score-counts.ts";

/** By falling threshold: each point is what the classes would be if every score from there up counted as positive. */
export interface RocCurve {
  falsePositiveRates: number[];
  truePositiveRates: number[];
}
export interface PrecisionRecallCurve {
  precisions: number[];
  recalls: number[];
}

/**
 * The chance that a positive answer has a higher score than a negative one, ties counted half (Mann-Whitney), with the
 * variance of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988) in the form of Sun and Xu (2014): of each
 * positive the share of negatives below it, of each negative the share of positives above it.
 */
export function areaUnderCurve(counts: ScoreCounts, confidence: number): Estimate {
  const sorted = counts.sorted();
  const { positives, negatives } = totals(counts);
  if (positives === 0) return undefinedBecause("no positive labels with a score");
  if (negatives === 0) return undefinedBecause("no negative labels with a score");
  let below = 0;
  let area = 0;
  for (const each of sorted) {
    area += each.positives * (below + each.negatives / 2);
    below += each.negatives;
  }
  const value = area / (positives * negatives);
  const variance = deLongVariance(sorted, { value, positives, negatives });
  return shareWithVariance(value, { variance, nLeast: Math.min(positives, negatives), confidence });
}

type Sorted = ReturnType<ScoreCounts["sorted"]>;

function deLongVariance(
  sorted: Sorted,
  { value, positives, negatives }: { value: number; positives: number; negatives: number },
): number {
  let negativesBelow = 0;
  let positivesBelow = 0;
  let ofPositives = 0;
  let ofNegatives = 0;
  for (const each of sorted) {
    const shareBelow = (negativesBelow + each.negatives / 2) / negatives;
    const shareAbove = (positives - positivesBelow - each.positives / 2) / positives;
    ofPositives += each.positives * (shareBelow - value) ** 2;
    ofNegatives += each.negatives * (shareAbove - value) ** 2;
    negativesBelow += each.negatives;
    positivesBelow += each.positives;
  }
  const among = (sum: number, n: number) => (n > 1 ? sum / (n - 1) / n : 0);
  return among(ofPositives, positives) + among(ofNegatives, negatives);
}

/** How far the area can be off because scores were put into bins: half of the pairs that share one. 0 when exact. */
export function areaErrorMax(counts: ScoreCounts): number {
  if (!counts.isBinned) return 0;
  const { positives, negatives } = totals(counts);
  if (positives === 0 || negatives === 0) return 0;
  const within = counts.sorted().reduce((sum, each) => sum + each.positives * each.negatives, 0);
  return within / (2 * positives * negatives);
}

/** From (0, 0) to (1, 1), a point for each different score; null without labels of both classes. */
export function rocCurve(counts: ScoreCounts): RocCurve | null {
  const { positives, negatives } = totals(counts);
  if (positives === 0 || negatives === 0) return null;
  const curve: RocCurve = { falsePositiveRates: [0], truePositiveRates: [0] };
  for (const { falsePositives, truePositives } of fromTheTop(counts)) {
    curve.falsePositiveRates.push(falsePositives / negatives);
    curve.truePositiveRates.push(truePositives / positives);
  }
  return curve;
}

/** From recall 0 with precision 1, by rising recall; null without positive labels. */
export function precisionRecallCurve(counts: ScoreCounts): PrecisionRecallCurve | null {
  const { positives } = totals(counts);
  if (positives === 0) return null;
  const curve: PrecisionRecallCurve = { precisions: [1], recalls: [0] };
  for (const { falsePositives, truePositives } of fromTheTop(counts)) {
    curve.precisions.push(truePositives / (truePositives + falsePositives));
    curve.recalls.push(truePositives / positives);
  }
  return curve;
}

function fromTheTop(counts: ScoreCounts): { falsePositives: number; truePositives: number }[] {
  let falsePositives = 0;
  let truePositives = 0;
  return counts
    .sorted()
    .toReversed()
    .map((each) => {
      falsePositives += each.negatives;
      truePositives += each.positives;
      return { falsePositives, truePositives };
    });
}

function totals(counts: ScoreCounts): { positives: number; negatives: number } {
  let positives = 0;
  let negatives = 0;
  for (const each of counts.sorted()) {
    positives += each.positives;
    negatives += each.negatives;
  }
  return { positives, negatives };
}
