import { z } from "zod";

/**
 * What a judge knows, as JSON: everything a restart needs to go on as if nothing had happened. A number that is no
 * number, or wealth below zero, is no state that a judge wrote.
 */
const wealth = z.array(z.number().min(0)).min(1).max(16);
const count = z.number().min(0);
const time = z.number();

export const betStateSchema = z.strictObject({ wealth, bets: count, seen: count, bad: count });
export type BetState = z.infer<typeof betStateSchema>;

export const walkStateSchema = z.strictObject({
  mass: z.array(z.number().min(0).max(1)).min(1).max(201),
  candidateEvents: count,
  boundary: count.nullable(),
  spent: z.number().min(0).max(1),
  crossed: z.boolean(),
});
export type WalkState = z.infer<typeof walkStateSchema>;

const sum = z.strictObject({ answers: count, sum: z.number() });
export const guardStateSchema = z.strictObject({
  counts: z.array(count).max(16),
  sums: z.array(z.number()).max(16),
  squares: z.array(count).max(16),
  blocks: count,
  endsAtMs: time.nullable(),
  candidate: sum,
  stable: sum,
});
export type GuardState = z.infer<typeof guardStateSchema>;

export const assignmentStateSchema = z.strictObject({
  wealth,
  drawn: count,
  candidates: count,
  expected: count,
  afterCandidate: z.boolean(),
  leftOut: betStateSchema,
  candidateLeftOut: count,
  stableLeftOut: count,
});
export type AssignmentState = z.infer<typeof assignmentStateSchema>;

export const latencyStateSchema = z.strictObject({
  gross: betStateSchema,
  fine: betStateSchema,
  proof: betStateSchema,
  guard: guardStateSchema,
  stable: z.array(z.tuple([count, count])).max(332),
  slowMs: z.number().nullable(),
  sinceQuantile: count,
  slow: z.strictObject({ candidate: count, candidateSeen: count, stable: count, stableSeen: count }),
  firstSlowAtMs: time.nullable(),
});
export type LatencyState = z.infer<typeof latencyStateSchema>;

export const errorStateSchema = z.strictObject({
  bet: betStateSchema,
  limit: wealth,
  walk: walkStateSchema,
  proof: betStateSchema,
});
export type ErrorState = z.infer<typeof errorStateSchema>;

const answers = z.strictObject({ requests: count, errors: count });
const alarm = z.strictObject({
  metric: z.enum(["errors", "latency"]),
  atMs: time,
  firstBadAtMs: time.nullable(),
  candidateRequests: count,
  candidateErrors: count,
  cause: z.string(),
});

export const canaryJudgeStateSchema = z.strictObject({
  version: z.literal(2),
  errors: errorStateSchema,
  latency: latencyStateSchema,
  assignment: assignmentStateSchema,
  candidate: answers,
  stable: answers,
  firstErrorAtMs: time.nullable(),
  alarm: alarm.nullable(),
});
export type CanaryJudgeState = z.infer<typeof canaryJudgeStateSchema>;
export type JudgeAlarm = z.infer<typeof alarm>;

const blocks = z.array(count).max(30);
export const rateWatchStateSchema = z.strictObject({
  statistics: wealth,
  alarm: z.boolean(),
  goodBlocks: count,
  seen: blocks,
  bad: blocks,
});
export type RateWatchState = z.infer<typeof rateWatchStateSchema>;

export const serviceWatchStateSchema = z.strictObject({
  version: z.literal(1),
  limits: z.strictObject({ errorRateExcessMax: z.number(), latencyRatioMax: z.number() }),
  baseline: answers.extend({ latency: latencyStateSchema.shape.stable }),
  errors: rateWatchStateSchema,
  latency: rateWatchStateSchema,
});
export type ServiceWatchState = z.infer<typeof serviceWatchStateSchema>;
