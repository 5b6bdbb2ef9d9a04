import type { QualitySettings } from "../../plan/monitor-settings.ts";
import type { AlarmFigure, AlarmState } from "../alarm/evaluation.ts";
import { calibrate } from "./calibration.ts";
import type { Estimate } from "./estimate.ts";
import { ESTIMATED_METRICS, estimateQuality } from "./estimated-quality.ts";
import { isError, metricsOf, type QualityTally } from "./quality-tally.ts";

/** Without thresholds of the plan, how much of the baseline's main metric may be lost, and how far errors may grow. */
export const QUALITY_LOSS_MAX = 0.05;
export const ERROR_RATIO_MAX = 1.25;
/** A metric of this beginning is the estimate without labels. */
const ESTIMATED = "estimated_";
export const isEstimate = (metric: string): boolean => metric.startsWith(ESTIMATED);

export interface PartFinding {
  state: AlarmState;
  /** One sentence with the numbers in it. */
  reason: string;
  figures: AlarmFigure[];
}

/**
 * Quality against the plan's thresholds, or without any against the baseline's. A metric breaches when the whole of its
 * interval is beyond the limit, so that both the size of the loss and its certainty speak; `alpha` is the chance of one
 * false breach over all limits together (Bonferroni). Estimates without labels are shown, and take part only where the
 * plan names them.
 */
export function judgeQuality(
  tally: QualityTally,
  from: { baseline: QualityTally | null; settings: QualitySettings; alpha: number },
): PartFinding {
  const limits = limitsOf(from);
  const confidence = 1 - from.alpha / Math.max(1, limits.size);
  const metrics = { ...tally.metrics(confidence), ...estimates(tally, { ...from, confidence }) };
  const figures = figuresOf(metrics, { limits, tally });
  const needsLabels = needsTruth(from.settings);
  const enough = needsLabels ? tally.labelled >= from.settings.labelledMin : tally.answers >= from.settings.labelledMin;
  // What needs no labels needs as many answers.
  const estimable = tally.answers >= from.settings.labelledMin;
  const breaching = figures.filter((figure) => figure.breaching && (isEstimate(figure.measure) ? estimable : enough));
  if (!enough && breaching.length === 0) {
    const shown = figures.map((figure) => ({ ...figure, breaching: false }));
    const seen = needsLabels ? `${tally.labelled} labelled answers` : `${tally.answers} answers`;
    return {
      state: "INSUFFICIENT_DATA",
      reason: `${seen} of the ${from.settings.labelledMin} that quality needs.`,
      figures: shown,
    };
  }
  const [worst] = breaching;
  if (worst !== undefined) return { state: "ALARM", reason: worst.message, figures };
  const undecided = figures.find(({ limit, observed }) => limit !== null && observed === null);
  if (undecided !== undefined) return { state: "INSUFFICIENT_DATA", reason: undecided.message, figures };
  const reason = `Quality of ${tally.labelled} labelled answers: no metric is beyond its limit with its whole interval.`;
  return { state: "OK", reason, figures };
}

/** Whether anything that is asked for rests on labels: all but a plan that names estimates alone. */
export function needsTruth({ thresholds }: Pick<QualitySettings, "thresholds">): boolean {
  const names = Object.keys(thresholds);
  return names.length === 0 || names.some((name) => !isEstimate(name));
}

/** By metric. A plan's thresholds count alone; without any the main metric may lose so much against the baseline. */
function limitsOf({
  baseline,
  settings,
}: {
  baseline: QualityTally | null;
  settings: QualitySettings;
}): Map<string, number> {
  const named = Object.entries(settings.thresholds);
  if (named.length > 0 || baseline === null || baseline.labelled < settings.labelledMin) return new Map(named);
  const metrics = baseline.metrics(0.95);
  const main = MAIN[settings.problem].find((name) => (metrics[name]?.value ?? null) !== null);
  const value = main === undefined ? null : (metrics[main]?.value ?? null);
  if (main === undefined || value === null) return new Map();
  return new Map([[main, isError(main) ? value * ERROR_RATIO_MAX : value - QUALITY_LOSS_MAX]]);
}

/** What stands for a model's quality as a whole. */
const MAIN: Readonly<Record<QualitySettings["problem"], readonly string[]>> = {
  binary: ["auc", "f1", "accuracy"],
  multiclass: ["weighted_f1"],
  regression: ["mae"],
};

function estimates(
  tally: QualityTally,
  from: { baseline: QualityTally | null; settings: QualitySettings; confidence: number },
): Record<string, Estimate> {
  if (tally.problem !== "binary" || from.baseline === null) return {};
  const calibration = calibrate(from.baseline.scores);
  if (calibration === null || tally.allScores.sorted().length === 0) return {};
  const { decisionThreshold } = from.settings;
  const { metrics } = estimateQuality(tally.allScores, { calibration, decisionThreshold, confidence: from.confidence });
  return Object.fromEntries(ESTIMATED_METRICS.map((name) => [`${ESTIMATED}${name}`, metrics[name]]));
}

function figuresOf(
  metrics: Readonly<Record<string, Estimate>>,
  { limits, tally }: { limits: ReadonlyMap<string, number>; tally: QualityTally },
): AlarmFigure[] {
  const shown = [...metricsOf(tally.problem), ...ESTIMATED_METRICS.map((name) => `${ESTIMATED}${name}`)].filter(
    (name) => !name.endsWith("_best_constant_classifier") && metrics[name] !== undefined,
  );
  const names = new Set([...limits.keys(), ...shown]);
  const figures = [...names].map((name) =>
    // A plan may name what every object has; it is no metric for that.
    figureOf(name, {
      estimate: Object.hasOwn(metrics, name) ? metrics[name] : undefined,
      limit: limits.get(name) ?? null,
      tally,
    }),
  );
  return figures.toSorted((a, b) => rank(a) - rank(b));
}

function rank({ breaching, limit }: AlarmFigure): number {
  return breaching ? 0 : limit === null ? 2 : 1;
}

function figureOf(
  name: string,
  { estimate, limit, tally }: { estimate: Estimate | undefined; limit: number | null; tally: QualityTally },
): AlarmFigure {
  const isEstimated = isEstimate(name);
  const samples = isEstimated ? tally.answers : tally.labelled;
  const figure = { subject: isEstimated ? "estimate without labels" : "model quality", measure: name };
  const rest = { limit, samples, pValue: null, adjustedPValue: null, evidence: null };
  if (estimate === undefined || estimate.value === null) {
    const why = estimate?.reason ?? `a ${tally.problem} problem has no such metric here`;
    return { ...figure, ...rest, observed: null, breaching: false, message: `${name} is not known: ${why}.` };
  }
  const { value, interval } = estimate;
  const error = isError(name);
  const breaching = limit !== null && interval !== null && (error ? interval.low > limit : interval.high < limit);
  const span =
    interval === null
      ? ""
      : ` (${round(interval.low)} to ${round(interval.high)} with ${percent(interval.confidence)})`;
  const against = limit === null ? "" : `, at ${error ? "most" : "least"} ${round(limit)} is accepted`;
  const what = isEstimated ? `${name}, from scores alone,` : name;
  return {
    ...{ ...figure, ...rest, observed: value, breaching },
    message: `${what} is ${round(value)}${span} over ${samples} answers${against}.`,
  };
}

function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function percent(confidence: number): string {
  return `${Number((confidence * 100).toPrecision(6))} %`;
}
