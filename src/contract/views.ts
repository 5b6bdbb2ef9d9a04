import { z } from "zod";
import { ENVIRONMENTS, planInputSchema, TARGETS } from "../core/plan/schema.ts";
import { GRANTABLE_ROLES, PRINCIPAL_KINDS } from "./operation.ts";
import { verdictSchema, watchSchema } from "./verdict-views.ts";

/** What the API answers with. Times are RFC 3339 in UTC; money is US dollars per hour; digests are `sha256:<hex>`. */

export const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 hexadecimal digits");
export const timeSchema = z.iso.datetime();
export const environmentSchema = z.enum(ENVIRONMENTS);
export const targetSchema = z.enum(TARGETS);
export const endpointSchema = z
  .object({ environment: environmentSchema, target: targetSchema, name: z.string() })
  .meta({ id: "EndpointRef" });

const clauseMessage = z.object({ clause: z.string(), message: z.string() });

export const findingSchema = z
  .object({
    clause: z.string(),
    level: z.enum(["deny", "approval", "require", "advise"]),
    message: z.string(),
    observed: z.unknown(),
    limit: z.unknown(),
    path: z.string().nullable(),
    document: z.enum(["agentops", "continuum", "own"]),
    section: z.string(),
  })
  .meta({ id: "Finding" });

export const obligationSchema = z
  .object({
    kind: z.enum(["approval", "evidence", "snapshot"]),
    role: z.enum(["approver", "budget-owner"]).optional(),
    count: z.number().int().optional(),
    mfa: z.boolean().optional(),
    signed: z.boolean().optional(),
    of: z.string().optional(),
    clauses: z.array(z.string()),
    status: z.enum(["met", "missing", "unchecked"]),
  })
  .meta({ id: "Obligation" });

export const patchSchema = z
  .object({ op: z.enum(["add", "replace", "remove"]), path: z.string(), value: z.unknown().optional() })
  .meta({ id: "PatchOperation" });

export const decisionSchema = z
  .object({
    decision: z.enum(["deny", "needs-approval", "allow"]),
    planDigest: digestSchema,
    policyDigest: digestSchema,
    simulation: z.boolean(),
    risk: z.enum(["low", "medium", "high"]),
    verification: z.enum(["basic", "enhanced", "full"]),
    runtime: z.enum(["gpu", "quantum", "hybrid"]),
    cost: z.object({
      usdPerHour: z.number().nullable(),
      peakUsdPerHour: z.number().nullable(),
      notional: z.boolean(),
      asOf: z.string(),
      source: z.string(),
    }),
    findings: z.array(findingSchema),
    fix: z.array(patchSchema),
    obligations: z.array(obligationSchema),
    source: z.enum(["shipped", "bundle", "server"]),
    unchecked: z.array(z.string()),
    report: z.literal("COMPLIANT").optional(),
    live: z
      .object({
        decision: z.enum(["deny", "needs-approval", "allow"]),
        findings: z.array(findingSchema),
        obligations: z.array(obligationSchema),
        fix: z.array(patchSchema),
      })
      .optional(),
  })
  .meta({ id: "Decision" });

export const rolloutSchema = z
  .object({
    id: z.string(),
    endpoint: endpointSchema,
    phase: z.string(),
    terminal: z.boolean(),
    /** Share of traffic on the new version, in percent. */
    weightPercent: z.number(),
    planDigest: digestSchema,
    policyDigest: digestSchema,
    proposer: z.string(),
    model: z.object({ name: z.string(), version: z.string() }),
    strategy: z.string(),
    restores: z.string().nullable(),
    simulation: z.boolean(),
    dryRun: z.boolean(),
    reason: z.object({ code: z.string(), message: z.string() }).nullable(),
    refusals: z.array(clauseMessage),
    approvals: z.array(
      z.object({
        approver: z.string(),
        role: z.string(),
        mfa: z.boolean(),
        signed: z.boolean(),
        at: timeSchema,
        comment: z.string().optional(),
        /** Why the glass was broken; only in the role break-glass. */
        reason: z.string().optional(),
        /** Given for the rollout that this one undoes, and for its way back with it. */
        wayBack: z.boolean().optional(),
      }),
    ),
    /** What it waits for, in one sentence; null when it is moving or has ended. */
    waitingFor: z.string().nullable(),
    allowedActions: z.array(z.string()),
    sequence: z.number().int(),
    createdAt: timeSchema,
    endedAt: timeSchema.nullable(),
    expiresAt: timeSchema.nullable(),
    deadlineAt: timeSchema.nullable(),
  })
  .meta({ id: "Rollout" });

export const rolloutDetailSchema = rolloutSchema
  .extend({
    decision: decisionSchema,
    plan: z.unknown(),
    snapshot: z.object({ sha256: z.string(), empty: z.boolean() }).nullable(),
    /** Evidence that was missing when this was decided: while it is, the gates deny the rollout, whoever approves it. */
    lacks: z.array(z.object({ of: z.string(), clauses: z.array(z.string()), what: z.string() })).optional(),
    /** The newest verdict with its figures; null before the first. */
    verdict: verdictSchema.nullable().optional(),
    /** After it succeeded; null where alarms are not acted on any more. */
    watch: watchSchema.nullable().optional(),
  })
  .meta({ id: "RolloutDetail" });

export const rolloutEventSchema = z
  .object({
    sequence: z.number().int(),
    at: timeSchema,
    type: z.string(),
    /** The phase after this event. */
    phase: z.string(),
    weightPercent: z.number(),
    actor: z.string(),
    simulation: z.boolean(),
    /** What every action of a simulation reports. */
    report: z.literal("COMPLIANT").optional(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "RolloutEvent" });

const variantSchema = z.object({
  variant: z.string(),
  role: z.enum(["stable", "candidate"]),
  modelVersion: z.string(),
  artifactDigest: z.string(),
  percent: z.number(),
  requests: z.number(),
  errors: z.number(),
  latencyMs: z.object({ p50: z.number().nullable(), p99: z.number().nullable() }),
  replicas: z.object({ wanted: z.number(), healthy: z.number() }),
});

export const endpointViewSchema = z
  .object({
    endpoint: endpointSchema,
    liveRollout: z.string().nullable(),
    activeRollout: z.string().nullable(),
    planDigest: digestSchema.nullable(),
    model: z.object({ name: z.string(), version: z.string() }).nullable(),
    instanceType: z.string().nullable(),
    instanceCount: z.number().int().nullable(),
    usdPerHour: z.number().nullable(),
    generation: z.number().int(),
    simulated: z.boolean(),
    /** The same by the name that every other answer has for it; a server of the release before does not say it. */
    simulation: z.boolean().default(false),
    invokeUrl: z.string().nullable(),
    /** What the target reports now; null when it cannot be reached or does not know the endpoint. */
    variants: z.array(variantSchema).nullable(),
    updatedAt: timeSchema,
  })
  .meta({ id: "Endpoint" });

export const artifactSchema = z
  .object({ digest: digestSchema, sizeBytes: z.number().int(), encrypted: z.boolean(), createdAt: timeSchema })
  .meta({ id: "Artifact" });

export const tokenSchema = z
  .object({
    id: z.string(),
    principal: z.object({ id: z.string(), kind: z.enum(PRINCIPAL_KINDS), owner: z.string().nullable() }),
    roles: z.array(z.enum(GRANTABLE_ROLES)),
    createdAt: timeSchema,
    expiresAt: timeSchema,
    revokedAt: timeSchema.nullable(),
  })
  .meta({ id: "Token" });

export const auditEntrySchema = z
  .object({
    position: z.number().int(),
    at: timeSchema,
    actor: z.string(),
    actorKind: z.string(),
    action: z.string(),
    subject: z.string(),
    outcome: z.string(),
    details: z.record(z.string(), z.unknown()),
    leafHash: z.string(),
  })
  .meta({ id: "AuditEntry" });

export const breakerSchema = z
  .object({
    endpoint: endpointSchema,
    simulation: z.boolean().default(false),
    state: z.enum(["closed", "open", "half-open"]),
    failures: z.number().int(),
    limit: z.number().int(),
    windowSeconds: z.number().int(),
    coolDownSeconds: z.number().int(),
    opensUntil: timeSchema.nullable(),
  })
  .meta({ id: "Breaker" });

export const planBodySchema = planInputSchema.meta({ id: "DeploymentPlan" });

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}
