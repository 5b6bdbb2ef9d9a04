import { z } from "zod";
import { ALARM_NAMES, ALARM_STATES } from "../core/monitor/alarm/evaluation.ts";
import { VERDICT_METRICS } from "../core/monitor/verdict.ts";

/**
 * The control API: JSON over HTTP on a unix socket of mode 0600, `POST /{operation}`. Shared by the serving process
 * and its one client, the local target. Answers 200 with the operation's result, or 4xx/5xx with a `ControlFailure`.
 */

const servedAt = z.strictObject({
  tenant: z.string().min(1).max(128),
  environment: z.enum(["development", "staging", "production"]),
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/),
});
export type ServedAt = z.infer<typeof servedAt>;

const effect = servedAt.extend({
  generation: z.number().int().min(0),
  idempotencyKey: z.string().min(1).max(256),
});
export type ControlEffect = z.infer<typeof effect>;

export const versionSchema = z.strictObject({
  variant: z.string().min(1).max(128),
  modelName: z.string().min(1).max(128),
  modelVersion: z.string().min(1).max(64),
  artifactDigest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  instanceType: z.string().min(1).max(64),
  instanceCount: z.number().int().min(1).max(10_000),
  planDigest: z.string().max(128),
});
export type Version = z.infer<typeof versionSchema>;

export const guardSchema = z.strictObject({
  alpha: z.number().gt(0).lt(1),
  requestsMin: z.number().int().min(0),
  errorRateExcessMax: z.number().min(0).max(1),
  latencyRatioMax: z.number().min(1),
  onHealthCheckFailure: z.boolean(),
  /** `proof`: what is not proven does not pass. */
  promoteOn: z.enum(["limit", "proof"]).optional(),
});

/** One invoke token, by its SHA-256: the token itself never reaches this process before a caller shows it. */
export const invokeCredentialSchema = z.strictObject({
  /** Lower-case hex SHA-256 of the token. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  tenant: z.string().min(1).max(128),
  /** Only endpoints of this environment; null for all of the tenant's. */
  environment: z.enum(["development", "staging", "production"]).nullable().default(null),
  /** Only endpoints of this name (the plan's `metadata.name`); null for all. */
  endpoint: z.string().max(64).nullable().default(null),
  expiresAtMs: z.number().nullable().default(null),
});
export type InvokeCredential = z.infer<typeof invokeCredentialSchema>;

export const CONTROL_REQUESTS = {
  status: z.strictObject({}),
  capacity: z.strictObject({ instanceType: z.string().max(64), instanceCount: z.number().int().min(1) }),
  snapshot: servedAt,
  observe: servedAt,
  describe: servedAt,
  provision: z.strictObject({ effect, candidate: versionSchema }),
  shift: z.strictObject({ effect, percent: z.number().min(0).max(100), guard: guardSchema }),
  promote: z.strictObject({ effect }),
  /** `snapshot` is what `snapshot` answered, as text. */
  rollback: z.strictObject({ effect, snapshot: z.string() }),
  scale: z.strictObject({ effect, instanceCount: z.number().int().min(1).max(10_000) }),
  remove: z.strictObject({ effect }),
  /** The whole table: what is not in it may not invoke. An older revision than the newest seen is ignored. */
  credentials: z.strictObject({ revision: z.number().int().min(0), credentials: z.array(invokeCredentialSchema) }),
} as const;
export type ControlOperation = keyof typeof CONTROL_REQUESTS;
export type ControlRequest<O extends ControlOperation> = z.input<(typeof CONTROL_REQUESTS)[O]>;

const armFigures = z.object({ samples: z.number(), estimate: z.number().nullable() });
const metricFigures = z.object({
  candidate: armFigures,
  stable: armFigures,
  unit: z.string(),
  interval: z
    .object({ of: z.enum(["difference", "ratio"]), low: z.number(), high: z.number(), confidence: z.number() })
    .nullable(),
  margin: z.number().nullable(),
  evidence: z.number(),
  threshold: z.number(),
  proof: z.object({ evidence: z.number(), threshold: z.number() }).nullable(),
  moreRequests: z.number().nullable(),
});
const metricVerdict = z.object({
  metric: z.enum(VERDICT_METRICS),
  outcome: z.enum(["pass", "fail", "inconclusive", "error"]),
  message: z.string(),
  observed: z.number().nullable(),
  limit: z.number().nullable(),
  figures: metricFigures.optional(),
});
const stats = z.object({
  variant: z.string(),
  modelVersion: z.string(),
  requests: z.number(),
  errors: z.number(),
  latencyMs: z.object({ p50: z.number().nullable(), p99: z.number().nullable() }),
  replicas: z.object({ wanted: z.number(), healthy: z.number() }),
});
export const trippedSchema = z.object({
  atMs: z.number(),
  firstBadAtMs: z.number().nullable(),
  candidateRequests: z.number(),
  candidateErrors: z.number(),
  cause: z.string(),
});

const alarmFigure = z.object({
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
});
const alarmEvaluation = z.object({
  alarm: z.enum(ALARM_NAMES),
  state: z.enum(ALARM_STATES),
  atMs: z.number(),
  reason: z.string(),
  figures: z.array(alarmFigure),
});

const done = z.object({ done: z.literal(true) });
export const CONTROL_ANSWERS = {
  status: z.object({
    /** New with every start of the process: another one than before means that it restarted. */
    bootId: z.string(),
    pid: z.number(),
    startedAtMs: z.number(),
    url: z.string(),
    credentialsRevision: z.number(),
    endpoints: z.array(
      z.object({
        tenant: z.string(),
        environment: z.string(),
        name: z.string(),
        generation: z.number(),
        candidatePercent: z.number(),
        tripped: trippedSchema.nullable(),
      }),
    ),
  }),
  capacity: z.discriminatedUnion("ok", [
    z.object({ ok: z.literal(true) }),
    z.object({ ok: z.literal(false), code: z.literal("host-memory"), reason: z.string() }),
  ]),
  /** `snapshot` is canonical JSON (RFC 8785). */
  snapshot: z.object({ snapshot: z.string(), empty: z.boolean() }),
  observe: z.object({
    stable: stats.nullable(),
    candidate: stats.nullable(),
    candidatePercent: z.number(),
    verdict: z.object({ outcome: metricVerdict.shape.outcome, metrics: z.array(metricVerdict) }),
    tripped: trippedSchema.nullable(),
    /** Of the version that serves, outside of any comparison. */
    alarms: z.array(alarmEvaluation),
  }),
  describe: z.object({
    endpoint: z
      .object({
        generation: z.number(),
        variants: z.array(
          stats.extend({ percent: z.number(), artifactDigest: z.string(), role: z.enum(["stable", "candidate"]) }),
        ),
        invokeUrl: z.string().nullable(),
        alarms: z.array(alarmEvaluation),
      })
      .nullable(),
  }),
  provision: done,
  shift: done,
  promote: done,
  rollback: done,
  scale: done,
  remove: done,
  credentials: z.object({ revision: z.number() }),
} as const;
export type ControlAnswer<O extends ControlOperation> = z.infer<(typeof CONTROL_ANSWERS)[O]>;

export const controlFailureSchema = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()),
});
export type ControlFailure = z.infer<typeof controlFailureSchema>;
