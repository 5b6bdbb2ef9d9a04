import { z } from "zod";
import { ALARM_EFFECTS } from "../core/monitor/alarm/alarm.ts";
import { ALARM_NAMES, ALARM_STATES } from "../core/monitor/alarm/evaluation.ts";
import { metricVerdictSchema, watchSchema } from "./verdict-views.ts";
import { endpointSchema, timeSchema } from "./views.ts";

/** What is told of monitors and alarms. */

export const alarmNameSchema = z.enum(ALARM_NAMES, `must be one of ${ALARM_NAMES.join(", ")}`);
export const alarmStateSchema = z.enum(ALARM_STATES, `must be one of ${ALARM_STATES.join(", ")}`);

/** One line of an alarm's arithmetic. */
export const alarmFigureSchema = z
  .object({
    subject: z.string(),
    measure: z.string(),
    observed: z.number().nullable(),
    limit: z.number().nullable(),
    samples: z.number(),
    pValue: z.number().nullable(),
    adjustedPValue: z.number().nullable(),
    evidence: z.number().nullable(),
    breaching: z.boolean(),
    message: z.string(),
  })
  .meta({ id: "AlarmFigure" });

export const suppressionSchema = z
  .object({ alarm: alarmNameSchema, by: z.string(), reason: z.string(), at: timeSchema, until: timeSchema })
  .meta({ id: "AlarmSuppression" });

export const alarmSchema = z
  .object({
    endpoint: endpointSchema,
    simulation: z.boolean(),
    /** The version that it is about: the id of its rollout. */
    variant: z.string(),
    alarm: alarmNameSchema,
    /** INSUFFICIENT_DATA is never OK. */
    state: alarmStateSchema,
    since: timeSchema,
    evaluatedAt: timeSchema,
    reason: z.string(),
    figures: z.array(alarmFigureSchema),
    acknowledgement: z.object({ by: z.string(), at: timeSchema, comment: z.string().nullable() }).nullable(),
    suppression: suppressionSchema.nullable(),
    /** What followed from this ALARM. */
    effect: z.object({ kind: z.enum(ALARM_EFFECTS), message: z.string() }).nullable(),
  })
  .meta({ id: "Alarm" });

export const alarmTransitionSchema = z
  .object({
    variant: z.string(),
    alarm: alarmNameSchema,
    sequence: z.number().int(),
    at: timeSchema,
    from: alarmStateSchema,
    to: alarmStateSchema,
    reason: z.string(),
    figures: z.array(alarmFigureSchema),
    suppressed: z.boolean(),
  })
  .meta({ id: "AlarmTransition" });

const windowSchema = z.object({
  number: z.number(),
  first: timeSchema,
  last: timeSchema,
  rows: z.number(),
  breaching: z.boolean(),
  columns: z.array(z.string()),
});

/** What the newest look at one version said. */
const reportSchema = z.object({
  evaluatedAt: timeSchema,
  baseline: z.object({ digest: z.string(), rows: z.number(), columns: z.number(), isExact: z.boolean() }).nullable(),
  baselineProblem: z.string().nullable(),
  rows: z.number(),
  /** The share of captured requests that were read, at random; below 1 where more came than the monitor may read. */
  readShare: z.number(),
  windows: z.array(windowSchema),
  open: z.object({ rows: z.number(), first: timeSchema.nullable() }),
  columns: z.array(alarmFigureSchema),
  sequential: z
    .object({
      rows: z.number(),
      threshold: z.number(),
      alpha: z.number(),
      columns: z.array(z.object({ column: z.string(), evidence: z.number(), rejected: z.boolean() })),
    })
    .nullable(),
  predictions: z
    .object({
      evidence: z.number(),
      weight: z.number(),
      threshold: z.number(),
      candidate: z.number(),
      stable: z.number(),
    })
    .nullable(),
  metrics: z.array(metricVerdictSchema),
});

/** What was read of an endpoint's capture on one host. */
const readingSchema = z.object({
  host: z.string(),
  newest: timeSchema.nullable(),
  updated: timeSchema,
  requests: z.number(),
  rows: z.number(),
  late: z.number(),
  unreadable: z.number(),
  failed: z.number(),
  notCaptured: z.number(),
  wrongShape: z.number(),
  answersUnread: z.number(),
  lostFiles: z.number(),
  lostBytes: z.number(),
  lostRequests: z.number(),
  droppedRequests: z.number(),
  notSampled: z.number(),
});

export const monitorSchema = z
  .object({
    endpoint: endpointSchema,
    simulation: z.boolean(),
    versions: z.array(
      z.object({
        variant: z.string(),
        role: z.enum(["stable", "candidate"]),
        model: z.object({ name: z.string(), version: z.string() }),
        /** What the plan asks to be measured. */
        asksFor: z.array(z.enum(["drift", "quality", "bias"])),
        /** Null until a monitor has looked at it. */
        report: reportSchema.nullable(),
        alarms: z.array(alarmSchema),
        watch: watchSchema.nullable(),
      }),
    ),
    suppressions: z.array(suppressionSchema),
    readings: z.array(readingSchema),
  })
  .meta({ id: "Monitor" });
