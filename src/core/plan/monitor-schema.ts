import { z } from "zod";

/**
 * What a plan may say of its monitor and of how its canary is judged. Shape only; what is left out has the documented
 * default (monitor-settings.ts), which is looked up when it is needed and never written into the plan.
 */

const text = (max: number) => z.string().min(1).max(max);
const integer = (min: number, max: number) => z.number().int().min(min).max(max);
const share = z.number().gt(0).lt(1);
const names = z.array(text(256)).max(2000);
const threshold = z.number().min(0).max(1e9);

/** The distances between a column's baseline and what came, each with its own unit. */
export const DRIFT_METHODS = ["ks", "psi", "jensen-shannon", "wasserstein", "chi-square", "l-infinity"] as const;
export const PROBLEMS = ["binary", "multiclass", "regression"] as const;

const dataDriftSchema = z.strictObject({
  /** The distance that decides, for every column that `columns` does not name. */
  method: z.enum(DRIFT_METHODS).optional(),
  /** From which distance on a column has drifted. */
  threshold: threshold.optional(),
  /** In short, `{ psi: 0.2 }`: that distance decides from that threshold on; of several, any. */
  ks: threshold.optional(),
  psi: threshold.optional(),
  "jensen-shannon": threshold.optional(),
  wasserstein: threshold.optional(),
  "chi-square": threshold.optional(),
  "l-infinity": threshold.optional(),
  /** Chance of a false alarm of one window over all columns together. */
  significance: share.optional(),
  correction: z.enum(["benjamini-hochberg", "bonferroni"]).optional(),
  /** With fewer rows the state is INSUFFICIENT_DATA. */
  rowsMin: integer(1, 1e9).optional(),
  /** A window closes at so many rows or after so many seconds, whichever is first. */
  windowRows: integer(1, 1e9).optional(),
  windowSeconds: integer(1, 604_800).optional(),
  /** An alarm needs `breachingWindows` of the newest `windows`. */
  windows: integer(1, 100).optional(),
  breachingWindows: integer(1, 100).optional(),
  /** Columns that are not watched. */
  ignore: names.optional(),
  columns: z
    .record(text(256), z.strictObject({ method: z.enum(DRIFT_METHODS).optional(), threshold: threshold.optional() }))
    .optional(),
  /** What the model answers is watched like a column, against the baseline's column of this name where it has one. */
  prediction: text(256).optional(),
});

const modelQualitySchema = z.strictObject({
  label: z.unknown().optional(),
  problem: z.enum(PROBLEMS).optional(),
  /** The positive class of a binary problem; default "1". */
  positive: z.union([text(256), z.number(), z.boolean()]).optional(),
  /** Where the answer holds the predicted class or value, and where the probability of the positive class. */
  prediction: text(256).optional(),
  probability: text(256).optional(),
  /** From which probability on the class is the positive one; default 0.5. */
  decisionThreshold: share.optional(),
  /** Truth is compared this long after the request, for both versions alike. */
  horizonSeconds: integer(0, 90 * 86_400).optional(),
  /** With fewer labelled answers the state is INSUFFICIENT_DATA. */
  labelledMin: integer(1, 1e9).optional(),
  /** By SageMaker's name of the metric: the least (or, for an error, the most) that is accepted. */
  thresholds: z.record(text(64), z.number()).optional(),
});

const biasSchema = z.strictObject({
  facet: z.unknown().optional(),
  /** The values of the favoured group; for a number, `[low, high]` ranges are not meant: list the values. */
  favoured: z
    .array(z.union([z.string().max(256), z.number(), z.boolean()]))
    .max(1000)
    .optional(),
  /** The outcome that is wanted; default the quality's `positive`. */
  positive: z.union([text(256), z.number(), z.boolean()]).optional(),
  /** Within which the conditional metrics compare. */
  group: text(256).optional(),
  rowsMin: integer(1, 1e9).optional(),
  /** By Clarify's name of the metric: how much farther from fair than the baseline is accepted. */
  thresholds: z.record(text(16), z.number().min(0)).optional(),
});

const watchSchema = z.strictObject({
  /** How long after the rollout alarms are still acted on; 0 for not at all. */
  seconds: integer(0, 30 * 86_400).optional(),
  onAlarm: z.enum(["rollback", "ask"]).optional(),
});

export const monitorSchema = z.strictObject({
  baseline: text(2048).optional(),
  dataDrift: dataDriftSchema.optional(),
  modelQuality: modelQualitySchema.optional(),
  bias: biasSchema.optional(),
  watch: watchSchema.optional(),
});

/** How the canary is compared with what serves. */
export const judgementSchema = z.strictObject({
  /** Most chance that a canary which changes nothing is rolled back, over the whole rollout. */
  alpha: z.number().min(1e-6).max(0.1).optional(),
  /** Answers of the candidate that a pass needs. */
  requestsMin: integer(0, 1e9).optional(),
  /** Error share above stable's that is tolerated. */
  errorRateExcessMax: z.number().min(0).max(1).optional(),
  /** The candidate's latencies may be this many times stable's; what lasts counts from a fifth of that excess on. */
  latencyRatioMax: z.number().min(1).max(1000).optional(),
  /** `limit`: at the end of the bake what is not proven may pass as well, and is called that; `proof`: it may not. */
  promoteOn: z.enum(["limit", "proof"]).optional(),
  /** A new model is meant to change its answers, so that is told by default and not acted on. */
  onPredictionShift: z.enum(["alarm", "rollback"]).optional(),
});
