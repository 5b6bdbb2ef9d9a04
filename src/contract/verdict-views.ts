import { z } from "zod";
import { VERDICT_METRICS } from "../core/monitor/verdict.ts";

/** What measurements say of a version, with the numbers that a person can do the sum over again with. */

const time = z.iso.datetime();
const outcome = z.enum(["pass", "fail", "inconclusive", "error"]);
const arm = z.object({ samples: z.number(), estimate: z.number().nullable() });

const metricFiguresSchema = z.object({
  candidate: arm,
  stable: arm,
  /** What the estimates are. */
  unit: z.string(),
  interval: z
    .object({ of: z.enum(["difference", "ratio"]), low: z.number(), high: z.number(), confidence: z.number() })
    .nullable(),
  /** How much worse the candidate may be, in the interval's terms. */
  margin: z.number().nullable(),
  /** Against "the candidate is no worse"; it is rolled back at the threshold. */
  evidence: z.number(),
  threshold: z.number(),
  proof: z.object({ evidence: z.number(), threshold: z.number() }).nullable(),
  /** About how many more requests the proof needs; null when that cannot be told. */
  moreRequests: z.number().nullable(),
});

export const metricVerdictSchema = z
  .object({
    metric: z.enum(VERDICT_METRICS),
    outcome,
    message: z.string(),
    observed: z.number().nullable(),
    limit: z.number().nullable(),
    figures: metricFiguresSchema.optional(),
  })
  .meta({ id: "MetricVerdict" });

export const verdictSchema = z
  .object({
    outcome,
    /** When it was taken: now, while a bake is watched, else as it was recorded last. */
    at: time,
    /** Worst first. */
    metrics: z.array(metricVerdictSchema),
  })
  .meta({ id: "Verdict" });

/** The time after a rollout in which alarms are still acted on. */
export const watchSchema = z
  .object({
    until: time,
    over: z.boolean(),
    alarms: z.array(z.string()),
    onAlarm: z.enum(["rollback", "ask"]),
    /** Why a person is asked although the plan says `rollback`. */
    whyAsk: z.string().nullable(),
    /** The rollout that an alarm began to bring back what ran before. */
    restore: z.string().nullable(),
    /** What a person has to decide, in one sentence; null when nothing waits. */
    waitsFor: z.string().nullable(),
  })
  .meta({ id: "WatchPeriod" });
