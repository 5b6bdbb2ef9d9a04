import { z } from "zod";
import type { Parsed } from "../../error.ts";
import type { Estimate } from "../quality/estimate.ts";
import type { BiasBaseline, BiasComparison } from "./bias-drift.ts";
import { type BiasMetric, biasMetricNamed, PRETRAINING_METRICS } from "./bias-metrics.ts";

/** `constraint_violations.json` of a bias drift job, as SageMaker Clarify writes it. */
export interface BiasViolations {
  version: "1.0";
  violations: {
    facet: string;
    facet_value: string;
    metric_name: string;
    constraint_check_type: "bias_drift_check";
    description: string;
  }[];
}

export function biasViolations(
  comparisons: readonly BiasComparison[],
  { facet, favoured }: { facet: string; favoured: readonly string[] },
): BiasViolations {
  return {
    version: "1.0",
    violations: comparisons
      .filter(({ breaching }) => breaching)
      .map(({ metric, observed, limit, baseline }) => ({
        facet,
        facet_value: favoured.join(", "),
        metric_name: metric,
        constraint_check_type: "bias_drift_check",
        description: `Value ${observed} does not meet the constraint requirement: beyond ${limit}, with ${baseline ?? "no value"} in the baseline`,
      })),
  };
}

/** `analysis.json` of Clarify, as far as it concerns bias; its facet's values are ours that are not favoured. */
export function biasAnalysis(
  metrics: Readonly<Record<BiasMetric, Estimate>>,
  { label, facet, value }: { label: string; facet: string; value: string },
): Record<string, unknown> {
  const listed = (isPretraining: boolean) => ({
    label,
    facets: {
      [facet]: [
        {
          value_or_threshold: value,
          metrics: Object.entries(metrics)
            .filter(([name]) => PRETRAINING_METRICS.some((metric) => metric === name) === isPretraining)
            .map(([name, estimate]) => ({
              name: name === "DCAcc" ? "DCA" : name,
              value: estimate.value,
              ...(estimate.reason === null ? {} : { error: estimate.reason }),
            })),
        },
      ],
    },
  });
  return { version: "1.0", pre_training_bias_metrics: listed(true), post_training_bias_metrics: listed(false) };
}

const facetsSchema = z.object({
  facets: z.record(
    z.string().max(256),
    z.array(
      z.object({
        value_or_threshold: z.string().max(1024).optional(),
        metrics: z.array(z.object({ name: z.string().max(64), value: z.number().nullish() })).max(100),
      }),
    ),
  ),
});
const analysisSchema = z.object({
  pre_training_bias_metrics: facetsSchema.optional(),
  post_training_bias_metrics: facetsSchema.optional(),
});

/** The metrics of one facet out of an `analysis.json` that Clarify or this program wrote. Its first value counts. */
export function readBiasAnalysis(json: unknown, facet: string): Parsed<BiasBaseline> {
  const parsed = analysisSchema.safeParse(json);
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.map((part) => `/${String(part)}`).join("") ?? "";
    return { ok: false, problem: { path, message: "must be an analysis.json of SageMaker Clarify" } };
  }
  const parts = [parsed.data.pre_training_bias_metrics, parsed.data.post_training_bias_metrics];
  const found = parts.flatMap((part) => part?.facets[facet]?.[0]?.metrics ?? []);
  if (found.length === 0)
    return { ok: false, problem: { path: "", message: `must have metrics of the facet ${facet}` } };
  const baseline: BiasBaseline = {};
  for (const { name, value } of found) {
    const metric = biasMetricNamed(name);
    if (metric !== undefined && typeof value === "number")
      baseline[metric] = { value, standardError: null, reason: null };
  }
  return { ok: true, value: baseline };
}
