import { z } from "zod";
import type { Parsed } from "../../error.ts";
import type { Problem } from "../../plan/monitor-settings.ts";
import type { Estimate } from "./estimate.ts";
import { isError, metricsOf, type QualityTally } from "./quality-tally.ts";
import { precisionRecallCurve, rocCurve } from "./score-curves.ts";

/** What SageMaker Model Monitor calls each problem in its files. */
const SECTION: Readonly<Record<Problem, string>> = {
  binary: "binary_classification",
  multiclass: "multiclass_classification",
  regression: "regression",
};

/** What a baseline suggests constraints for, as SageMaker's does. */
const CONSTRAINED: Readonly<Record<Problem, readonly string[]>> = {
  binary: [
    ...["recall", "precision", "accuracy", "true_positive_rate", "true_negative_rate"],
    ...["false_positive_rate", "false_negative_rate", "auc", "f0_5", "f1", "f2"],
  ],
  multiclass: ["accuracy", "weighted_recall", "weighted_precision", "weighted_f0_5", "weighted_f1", "weighted_f2"],
  regression: ["mae", "mse", "rmse", "r2"],
};

export interface QualityConstraint {
  threshold: number;
  comparison_operator: "LessThanThreshold" | "GreaterThanThreshold";
}
export interface QualityConstraints {
  problem: Problem;
  constraints: Record<string, QualityConstraint>;
}

const CONFIDENCE = 0.95;
/** With fewer labels SageMaker gives no standard deviation. */
const DEVIATION_MIN = 200;

/**
 * `statistics.json` of a model quality job. Standard deviations are the delta method's, where SageMaker takes those of
 * five samples of 80 %; with fewer than 200 labels they are "NaN", as there. What is not defined is left out: a reader
 * must not take it for 0.
 */
export function qualityStatistics(tally: QualityTally): Record<string, unknown> {
  const metrics = tally.metrics(CONFIDENCE);
  const written = metricsOf(tally.problem).flatMap((name): [string, unknown][] => {
    const value = metrics[name]?.value ?? null;
    return value === null ? [] : [[name, { value, standard_deviation: deviation(metrics[name], tally.labelled) }]];
  });
  const matrix = Object.fromEntries([...tally.confusion].map(([label, row]) => [label, Object.fromEntries(row)]));
  const roc = rocCurve(tally.scores);
  const precisionRecall = precisionRecallCurve(tally.scores);
  return {
    version: 0,
    dataset: { item_count: tally.labelled },
    [`${SECTION[tally.problem]}_metrics`]: {
      ...(tally.problem === "regression" ? {} : { confusion_matrix: matrix }),
      ...Object.fromEntries(written),
      ...(roc === null
        ? {}
        : {
            receiver_operating_characteristic_curve: {
              false_positive_rates: roc.falsePositiveRates,
              true_positive_rates: roc.truePositiveRates,
            },
          }),
      ...(precisionRecall === null ? {} : { precision_recall_curve: precisionRecall }),
    },
  };
}

function deviation(estimate: Estimate | undefined, labelled: number): number | "NaN" {
  return labelled < DEVIATION_MIN ? "NaN" : (estimate?.standardError ?? "NaN");
}

/** `constraints.json`: no metric may become worse than it was on the baseline. */
export function qualityConstraints(tally: QualityTally): Record<string, unknown> {
  const metrics = tally.metrics(CONFIDENCE);
  const constraints = CONSTRAINED[tally.problem].flatMap((name): [string, QualityConstraint][] => {
    const threshold = metrics[name]?.value ?? null;
    const comparison_operator = isError(name) ? "GreaterThanThreshold" : "LessThanThreshold";
    return threshold === null ? [] : [[name, { threshold, comparison_operator }]];
  });
  return { version: 0, [`${SECTION[tally.problem]}_constraints`]: Object.fromEntries(constraints) };
}

const constraintsSchema = z.record(
  z.string().max(64),
  z.object({
    threshold: z.number(),
    comparison_operator: z.enum(["LessThanThreshold", "GreaterThanThreshold"]),
  }),
);
/** Numbers, and what JSON cannot say as one. */
const numberSchema = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])]);
const metricSchema = z.object({ value: numberSchema, standard_deviation: numberSchema.optional() });

/** `constraints.json` of a model quality baseline that SageMaker or this program wrote. */
export function readQualityConstraints(json: unknown): Parsed<QualityConstraints> {
  const found = sectionOf(json, "constraints");
  if (found === undefined) return problem("", "must be the constraints.json of a model quality baseline");
  const parsed = constraintsSchema.safeParse(found.section);
  if (parsed.success) return { ok: true, value: { problem: found.problem, constraints: parsed.data } };
  return problem(pathOf(found.key, parsed.error), "must have a threshold and a comparison_operator for each metric");
}

/** The values of `statistics.json` of a model quality job, by metric; matrices and curves are not among them. */
export function readQualityStatistics(
  json: unknown,
): Parsed<{ problem: Problem; metrics: Record<string, { value: number; standardDeviation: number | null }> }> {
  const found = sectionOf(json, "metrics");
  if (found === undefined) return problem("", "must be the statistics.json of a model quality job");
  const metrics: Record<string, { value: number; standardDeviation: number | null }> = {};
  for (const name of metricsOf(found.problem)) {
    const given = found.section[name];
    if (given === undefined) continue;
    const parsed = metricSchema.safeParse(given);
    if (!parsed.success) return problem(`${pathOf(found.key, parsed.error)}/${name}`, "must have a value");
    const { value, standard_deviation: spread } = parsed.data;
    if (typeof value === "number")
      metrics[name] = { value, standardDeviation: typeof spread === "number" ? spread : null };
  }
  return { ok: true, value: { problem: found.problem, metrics } };
}

/** `constraint_violations.json` of a model quality job. */
export interface QualityViolations {
  violations: { constraint_check_type: string; description: string; metric_name: string }[];
}

/** As SageMaker does it: by the value alone, one violation for each metric beyond its threshold. */
export function qualityViolations(tally: QualityTally, { constraints }: QualityConstraints): QualityViolations {
  const metrics = tally.metrics(CONFIDENCE);
  return {
    violations: Object.entries(constraints).flatMap(([name, { threshold, comparison_operator }]) => {
      const estimate = metrics[name];
      if (estimate === undefined || estimate.value === null) return [];
      const { value } = estimate;
      const isBeyond = comparison_operator === "LessThanThreshold" ? value < threshold : value > threshold;
      const description = `Metric ${name} with ${value} +/- ${deviation(estimate, tally.labelled)} was ${comparison_operator} '${threshold}'`;
      return isBeyond ? [{ constraint_check_type: comparison_operator, description, metric_name: name }] : [];
    }),
  };
}

function sectionOf(
  json: unknown,
  kind: "constraints" | "metrics",
): { problem: Problem; key: string; section: Record<string, unknown> } | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  for (const each of ["binary", "multiclass", "regression"] as const) {
    const key = `${SECTION[each]}_${kind}`;
    const section: unknown = (json as Record<string, unknown>)[key];
    if (typeof section === "object" && section !== null)
      return { problem: each, key, section: section as Record<string, unknown> };
  }
  return undefined;
}

function pathOf(key: string, error: z.ZodError): string {
  return `/${key}${(error.issues[0]?.path ?? []).map((part) => `/${String(part)}`).join("")}`;
}

function problem(path: string, message: string): { ok: false; problem: { path: string; message: string } } {
  return { ok: false, problem: { path, message } };
}
