import type { Estimate } from "../quality/estimate.ts";
import { normalQuantile, normalSurvival } from "../statistics/normal.ts";
import { type BiasMetric, biasMetricNamed, fairValue } from "./bias-metrics.ts";

/** What is accepted where a plan names no metrics: both need predictions alone. */
export const DEFAULT_BIAS_THRESHOLDS: Readonly<Record<string, number>> = { DPPL: 0.1, DI: 0.2 };

/** What the baseline had; without an error, as in a file of Clarify's, it is taken for exact. */
export type BiasBaseline = Partial<Record<BiasMetric, Pick<Estimate, "value" | "standardError" | "reason">>>;

export interface BiasComparison {
  metric: BiasMetric;
  observed: number | null;
  baseline: number | null;
  /** From where on it is too far from fair, on the side where it stands: fair ± (the baseline's distance + threshold). */
  limit: number;
  /** Of "it is no farther than the limit", one-sided, for either side of fair; null where it cannot be told. */
  pValue: number | null;
  breaching: boolean;
  /** Why nothing can be said; null otherwise. */
  reason: string | null;
}

/**
 * Worse means farther from the fair value (1 for DI, 0 for the others), so that -0.3 after 0.2 is worse and 0.1 after
 * -0.2 is not. A metric breaches when its distance is above the baseline's by more than the threshold, and so clearly
 * that chance alone does that with less than `1 - confidence` over all metrics compared (Bonferroni). Without a baseline
 * value the distance itself is held against the threshold.
 */
export function compareBias(
  current: Readonly<Record<BiasMetric, Estimate>>,
  from: { baseline: BiasBaseline | null; thresholds: Readonly<Record<string, number>>; confidence: number },
): BiasComparison[] {
  const asked = Object.entries(Object.keys(from.thresholds).length > 0 ? from.thresholds : DEFAULT_BIAS_THRESHOLDS);
  const known = asked.flatMap(([name, threshold]) => {
    const metric = biasMetricNamed(name);
    return metric === undefined ? [] : [{ metric, threshold }];
  });
  const alpha = (1 - from.confidence) / Math.max(1, known.length);
  return known.map(({ metric, threshold }) =>
    compareOne(metric, { current: current[metric], baseline: from.baseline?.[metric], threshold, alpha }),
  );
}

/** Names of a plan's thresholds that are no metric: they are said, and nothing is measured for them. */
export function unknownBiasMetrics(thresholds: Readonly<Record<string, number>>): string[] {
  return Object.keys(thresholds).filter((name) => biasMetricNamed(name) === undefined);
}

function compareOne(
  metric: BiasMetric,
  from: { current: Estimate; baseline: BiasBaseline[BiasMetric]; threshold: number; alpha: number },
): BiasComparison {
  const { current, baseline, threshold, alpha } = from;
  const fair = fairValue(metric);
  const before = baseline?.value ?? null;
  const accepted = (before === null ? 0 : Math.abs(before - fair)) + threshold;
  const side = current.value !== null && current.value < fair ? -1 : 1;
  const found = { metric, observed: current.value, baseline: before, limit: fair + side * accepted };
  if (current.value === null || current.standardError === null)
    return { ...found, pValue: null, breaching: false, reason: current.reason };
  const excess = Math.abs(current.value - fair) - accepted;
  const error = Math.hypot(current.standardError, baseline?.standardError ?? 0);
  if (error === 0) return { ...found, pValue: null, breaching: excess > 0, reason: null };
  // Twice, because the side was chosen after looking.
  const pValue = Math.min(1, 2 * normalSurvival(excess / error));
  return { ...found, pValue, breaching: excess / error > normalQuantile(1 - alpha / 2), reason: null };
}
