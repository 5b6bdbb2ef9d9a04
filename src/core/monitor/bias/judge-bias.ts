import type { BiasSettings } from "../../plan/monitor-settings.ts";
import type { AlarmFigure } from "../alarm/evaluation.ts";
import type { PartFinding } from "../quality/judge-quality.ts";
import { type BiasComparison, compareBias, unknownBiasMetrics } from "./bias-drift.ts";
import { BIAS_METRICS, biasMetrics, POSTTRAINING_METRICS } from "./bias-metrics.ts";
import type { BiasTally } from "./bias-tally.ts";

/** Metrics that need the truth; the others need predictions, or only the facet. */
const FROM_LABELS: ReadonlySet<string> = new Set([
  ...["DPL", "KL", "JS", "LP", "TVD", "KS", "CDDL"],
  ...["DCAcc", "DCR", "RD", "DAR", "SD", "DRR", "AD", "TE", "GE"],
]);

/**
 * Bias against the baseline's, by the rule of `compareBias`. Each side needs `rowsMin` answers (labelled ones for the
 * metrics that need truth): below that nothing is said of the metric.
 */
export function judgeBias(
  tally: BiasTally,
  from: { baseline: BiasTally | null; settings: BiasSettings; alpha: number },
): PartFinding {
  const { settings } = from;
  const confidence = 1 - from.alpha;
  const current = biasMetrics(tally, { confidence });
  const baseline = from.baseline === null ? null : biasMetrics(from.baseline, { confidence });
  const compared = compareBias(current, { baseline, thresholds: settings.thresholds, confidence });
  const judged = compared.map((comparison) => figureOf(comparison, { tally, settings }));
  const unknown = unknownBiasMetrics(settings.thresholds).map((name) => ({
    ...{ ...NOTHING, subject: settings.facet, measure: name, limit: null, samples: 0 },
    message: `${name.slice(0, 16)} is no metric of bias: the plan's threshold for it is not used.`,
  }));
  const named = new Set<string>(compared.map(({ metric }) => metric));
  const shown = [...POSTTRAINING_METRICS, ...BIAS_METRICS]
    .filter((metric, at, all) => all.indexOf(metric) === at && !named.has(metric) && current[metric].value !== null)
    .map((metric) => ({
      ...{ ...NOTHING, subject: settings.facet, measure: metric, observed: current[metric].value, limit: null },
      samples: samplesOf(metric, tally).all,
      message: `${metric} is ${round(current[metric].value ?? 0)}.`,
    }));
  const figures = [...judged.map(({ figure }) => figure), ...unknown, ...shown].toSorted(
    (a, b) => Number(b.breaching) - Number(a.breaching),
  );
  const worst = judged.find(({ figure }) => figure.breaching);
  if (worst !== undefined) return { state: "ALARM", reason: worst.figure.message, figures };
  const waiting = judged.find(({ enough }) => !enough);
  if (waiting !== undefined) return { state: "INSUFFICIENT_DATA", reason: waiting.figure.message, figures };
  return {
    state: "OK",
    reason: `Bias by ${settings.facet}: ${[...named].join(", ")} ${named.size === 1 ? "is within its limit" : "are within their limits"}.`,
    figures,
  };
}

const NOTHING = { observed: null, pValue: null, adjustedPValue: null, evidence: null, breaching: false };

function figureOf(
  comparison: BiasComparison,
  { tally, settings }: { tally: BiasTally; settings: BiasSettings },
): { figure: AlarmFigure; enough: boolean } {
  const { metric, observed, limit, baseline, pValue } = comparison;
  const { all, least } = samplesOf(metric, tally);
  const figure = { subject: settings.facet, measure: metric, observed, limit, samples: all, pValue };
  const rest = { adjustedPValue: null, evidence: null, breaching: false };
  const before = baseline === null ? "no baseline" : `${round(baseline)} in the baseline`;
  if (observed === null)
    return {
      figure: { ...figure, ...rest, message: `${metric} is not known: ${comparison.reason ?? "no value"}.` },
      enough: false,
    };
  const numbers = `${metric} is ${round(observed)}, ${before}, accepted up to ${round(limit)}, over ${all} answers`;
  if (least < settings.rowsMin)
    return {
      figure: { ...figure, ...rest, message: `${numbers}: one side has ${least} of the ${settings.rowsMin} it needs.` },
      enough: false,
    };
  return { figure: { ...figure, ...rest, breaching: comparison.breaching, message: `${numbers}.` }, enough: true };
}

function samplesOf(metric: string, tally: BiasTally): { all: number; least: number } {
  const [a, d] = (["favoured", "other"] as const).map((side) => {
    const { rows, positives, negatives } = tally.side(side);
    return FROM_LABELS.has(metric) ? positives + negatives : rows;
  }) as [number, number];
  return { all: a + d, least: Math.min(a, d) };
}

function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}
