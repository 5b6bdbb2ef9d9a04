import { type Estimate, normalEstimate, undefinedBecause } from "../quality/estimate.ts";
import type { BiasCell, BiasTally } from "./bias-tally.ts";
import { labelDivergences } from "./label-divergences.ts";

/** As SageMaker Clarify names them: before training from labels, after it from predictions and labels. */
export const PRETRAINING_METRICS = ["CI", "DPL", "KL", "JS", "LP", "TVD", "KS", "CDDL"] as const;
export const POSTTRAINING_METRICS = [
  "DPPL",
  "DI",
  "DCAcc",
  "DCR",
  "RD",
  "DAR",
  "SD",
  "DRR",
  "AD",
  "TE",
  "FT",
  "CDDPL",
  "GE",
] as const;
export const BIAS_METRICS = [...PRETRAINING_METRICS, ...POSTTRAINING_METRICS] as const;
export type BiasMetric = (typeof BIAS_METRICS)[number];

/** What a metric is when both sides are treated alike. */
export function fairValue(metric: BiasMetric): number {
  return metric === "DI" ? 1 : 0;
}

/** AWS calls it both; the shorter name stands in what its library writes. */
export function biasMetricNamed(name: string): BiasMetric | undefined {
  return name === "DCA" ? "DCAcc" : BIAS_METRICS.find((metric) => metric === name);
}

/**
 * Every metric by AWS's definitions (Amazon SageMaker Developer Guide, "Measure Pre-training Bias" and "Measure
 * Post-training Data and Model Bias"; `a` is the favoured side, `d` the other). Where those end in 0/0 or x/0, which
 * Clarify calls 0 or infinite, there is no value here and a reason. Errors are the delta method's, each side a sample of
 * its own. `flipTest` is the FT of rows with their features (flip-test.ts); counts alone cannot have it.
 */
export function biasMetrics(
  tally: BiasTally,
  { confidence, flipTest }: { confidence: number; flipTest?: Estimate },
): Record<BiasMetric, Estimate> {
  const a = tally.side("favoured");
  const d = tally.side("other");
  const difference = (plus: Part, minus: Part) => estimated(minusPart(plus, minus), confidence);
  const of = (metric: (cell: BiasCell, side: string) => Part) => [metric(a, "favoured"), metric(d, "other")] as const;
  const between = (metric: (cell: BiasCell, side: string) => Part, order: "a-d" | "d-a") => {
    const [ofA, ofD] = of(metric);
    return order === "a-d" ? difference(ofA, ofD) : difference(ofD, ofA);
  };
  return {
    CI: classImbalance(a.rows, d.rows, confidence),
    DPL: between((c, side) => share(c.positives, c.positives + c.negatives, `no labels of the ${side} side`), "a-d"),
    ...labelDivergences(tally.labels("favoured"), tally.labels("other"), confidence),
    CDDL: conditionalDisparity(tally, { positives: "positives", negatives: "negatives", confidence }),
    DPPL: between(acceptance, "a-d"),
    DI: disparateImpact(acceptance(d, "other"), acceptance(a, "favoured"), confidence),
    DCAcc: between(observedToPredictedPositives, "a-d"),
    DCR: between(observedToPredictedNegatives, "d-a"),
    RD: between(
      (c, side) => share(c.truePositives, c.truePositives + c.falseNegatives, `no positive labels of the ${side} side`),
      "a-d",
    ),
    DAR: between(
      (c, side) =>
        share(
          c.truePositives,
          c.truePositives + c.falsePositives,
          `nothing of the ${side} side was predicted positive`,
        ),
      "a-d",
    ),
    SD: between(
      (c, side) => share(c.trueNegatives, c.trueNegatives + c.falsePositives, `no negative labels of the ${side} side`),
      "d-a",
    ),
    DRR: between(
      (c, side) =>
        share(
          c.trueNegatives,
          c.trueNegatives + c.falseNegatives,
          `nothing of the ${side} side was predicted negative`,
        ),
      "d-a",
    ),
    AD: between(
      (c, side) => share(c.truePositives + c.trueNegatives, labelledOf(c), `no labelled answers of the ${side} side`),
      "a-d",
    ),
    TE: between(missesToFalseAlarms, "d-a"),
    FT: flipTest ?? undefinedBecause("needs the features of each row, which counts do not have"),
    CDDPL: conditionalDisparity(tally, {
      ...{ positives: "predictedPositives", negatives: "predictedNegatives", confidence },
    }),
    GE: generalizedEntropy(a, d, confidence),
  };
}

/** A number with its variance, or why there is none. */
type Part = { value: number; variance: number } | { reason: string };

/**
 * The variance is that of the share with one more success and one more failure (Agresti and Caffo 2000): where nothing
 * or everything succeeded the plain one is 0, and the smallest difference would be called certain.
 */
function share(part: number, whole: number, empty: string): Part {
  if (whole === 0) return { reason: empty };
  const towardsHalf = (part + 1) / (whole + 2);
  return { value: part / whole, variance: (towardsHalf * (1 - towardsHalf)) / whole };
}

function minusPart(left: Part, right: Part): Part {
  if ("reason" in left) return left;
  if ("reason" in right) return right;
  return { value: left.value - right.value, variance: left.variance + right.variance };
}

function estimated(part: Part, confidence: number): Estimate {
  return "reason" in part ? undefinedBecause(part.reason) : normalEstimate(part.value, { ...part, confidence });
}

function labelledOf(c: BiasCell): number {
  return c.truePositives + c.trueNegatives + c.falsePositives + c.falseNegatives;
}

/** CI = (n_a - n_d) / (n_a + n_d). */
function classImbalance(na: number, nd: number, confidence: number): Estimate {
  const n = na + nd;
  if (na === 0 || nd === 0) return undefinedBecause(`no answers of the ${na === 0 ? "favoured" : "other"} side`);
  const shareOfA = na / n;
  return normalEstimate((na - nd) / n, { variance: (4 * shareOfA * (1 - shareOfA)) / n, confidence });
}

/** q' = n'(1) / n: how much of a side is predicted positive. */
function acceptance(c: BiasCell, side: string): Part {
  const { predictedPositives, predictedNegatives } = c;
  return share(predictedPositives, predictedPositives + predictedNegatives, `no predictions for the ${side} side`);
}

/** DI = q'_d / q'_a, whose error is that of its logarithm. */
function disparateImpact(d: Part, a: Part, confidence: number): Estimate {
  if ("reason" in d) return undefinedBecause(d.reason);
  if ("reason" in a) return undefinedBecause(a.reason);
  if (a.value === 0) return undefinedBecause("nothing of the favoured side was predicted positive");
  const value = d.value / a.value;
  const variance = d.variance / a.value ** 2 + (value * value * a.variance) / a.value ** 2;
  return normalEstimate(value, { variance, confidence, least: 0 });
}

/** c = n(1) / n'(1), of answers with both a label and a prediction. */
function observedToPredictedPositives(c: BiasCell, side: string): Part {
  const empty = `nothing of the ${side} side was predicted positive`;
  return ratio(c.truePositives + c.falseNegatives, c.truePositives + c.falsePositives, {
    shared: c.truePositives,
    empty,
  });
}

/** r = n(0) / n'(0). */
function observedToPredictedNegatives(c: BiasCell, side: string): Part {
  const empty = `nothing of the ${side} side was predicted negative`;
  return ratio(c.trueNegatives + c.falsePositives, c.trueNegatives + c.falseNegatives, {
    shared: c.trueNegatives,
    empty,
  });
}

/** FN / FP: unbounded without false positives, and then without a value. */
function missesToFalseAlarms(c: BiasCell, side: string): Part {
  return ratio(c.falseNegatives, c.falsePositives, { shared: 0, empty: `no false positives of the ${side} side` });
}

/**
 * A ratio of two counts of one sample, of which `shared` are in both: over a multinomial draw the logarithm's variance
 * is 1/x + 1/y - 2 shared / (x y), whatever the size of the sample.
 */
function ratio(x: number, y: number, { shared, empty }: { shared: number; empty: string }): Part {
  if (y === 0) return { reason: empty };
  const value = x / y;
  // With x = 0 the logarithm has no variance; that of one more observation stands for it.
  const seen = Math.max(x, 1);
  const relative = 1 / seen + 1 / y - (2 * Math.min(shared, seen)) / (seen * y);
  return { value, variance: (seen / y) ** 2 * Math.max(0, relative) };
}

/**
 * CDD = Σ (n_i / n) DD_i over the groups, DD_i = share of the other side among the rejected less its share among the
 * accepted, within the group; a group without rejected, or without accepted, counts that share as 0, as Clarify does.
 */
function conditionalDisparity(
  tally: BiasTally,
  from: {
    positives: "positives" | "predictedPositives";
    negatives: "negatives" | "predictedNegatives";
    confidence: number;
  },
): Estimate {
  const groups = tally.groups().map(({ favoured, other }) => ({
    accepted: favoured[from.positives] + other[from.positives],
    rejected: favoured[from.negatives] + other[from.negatives],
    otherAccepted: other[from.positives],
    otherRejected: other[from.negatives],
  }));
  const sum = (count: keyof (typeof groups)[number]) => groups.reduce((total, group) => total + group[count], 0);
  if (groups.length === 0) return undefinedBecause("no group column: conditional metrics compare within groups");
  if (sum("accepted") === 0) return undefinedBecause("no positive outcomes");
  if (sum("rejected") === 0) return undefinedBecause("no negative outcomes");
  const n = sum("accepted") + sum("rejected");
  let value = 0;
  let variance = 0;
  for (const { accepted, rejected, otherAccepted, otherRejected } of groups) {
    const weight = (accepted + rejected) / n;
    const none = { value: 0, variance: 0 };
    const ofRejected = rejected === 0 ? none : share(otherRejected, rejected, "");
    const ofAccepted = accepted === 0 ? none : share(otherAccepted, accepted, "");
    const disparity = minusPart(ofRejected, ofAccepted);
    if ("reason" in disparity) continue;
    value += weight * disparity.value;
    variance += weight * weight * disparity.variance;
  }
  return normalEstimate(value, { variance, confidence: from.confidence });
}

/**
 * GE with alpha 2, Clarify's default: benefits b = y' - y + 1 are 0 (a false negative), 1 (right) or 2 (a false
 * positive), and GE = (mean(b²) / mean(b)² - 1) / 2. It compares all answers and knows no sides.
 */
function generalizedEntropy(a: BiasCell, d: BiasCell, confidence: number): Estimate {
  const n = labelledOf(a) + labelledOf(d);
  if (n === 0) return undefinedBecause("no labelled answers");
  const misses = (a.falseNegatives + d.falseNegatives) / n;
  const falseAlarms = (a.falsePositives + d.falsePositives) / n;
  const right = 1 - misses - falseAlarms;
  const mean = right + 2 * falseAlarms;
  if (mean === 0) return undefinedBecause("every answer is a false negative");
  const square = right + 4 * falseAlarms;
  const slope = (benefit: number) => (benefit * benefit) / (2 * mean * mean) - (square * benefit) / mean ** 3;
  const parts = [
    { share: misses, slope: slope(0) },
    { share: right, slope: slope(1) },
    { share: falseAlarms, slope: slope(2) },
  ];
  const first = parts.reduce((sum, part) => sum + part.share * part.slope, 0);
  const second = parts.reduce((sum, part) => sum + part.share * part.slope ** 2, 0);
  return normalEstimate((square / (mean * mean) - 1) / 2, {
    variance: (second - first * first) / n,
    confidence,
    least: 0,
  });
}
