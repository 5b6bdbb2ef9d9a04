import { z } from "zod";
import { judgementSchema, monitorSchema } from "./monitor-schema.ts";

/** Shape only: whether a value is *allowed* is the policy's to say. Source: the public contract, "Plan". */

export const ENVIRONMENTS = ["development", "staging", "production"] as const;
export const TARGETS = ["local", "sagemaker", "braket", "simulated"] as const;
export const RUNTIMES = ["auto", "gpu", "quantum", "hybrid"] as const;
export const WORKLOADS = ["inference", "quantum", "mixed"] as const;
export const STRATEGIES = ["all-at-once", "canary", "linear"] as const;

export type Environment = (typeof ENVIRONMENTS)[number];
export type TargetName = (typeof TARGETS)[number];
export type Strategy = (typeof STRATEGIES)[number];
/** A runtime that was chosen: `auto` is a request, never an answer. */
export type Runtime = Exclude<(typeof RUNTIMES)[number], "auto">;

const text = (max: number) => z.string().min(1).max(max);
const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and -, at most 40 characters");
const sha256 = "sha256:[0-9a-f]{64}";
const artifact = z
  .string()
  .max(2048)
  .regex(
    new RegExp(`^(file:.+|store:${sha256}|s3://[^/]+/.+|oci://[^@]+@${sha256})$`),
    "must be file:PATH, store:sha256:DIGEST, s3://BUCKET/KEY or oci://NAME@sha256:DIGEST",
  );
const image = z
  .string()
  .max(2048)
  .regex(new RegExp(`^[^@\\s]+@${sha256}$`), "must name a digest: registry/repo@sha256:...");
const integer = (min: number, max: number) => z.number().int().min(min).max(max);

/** Everything the proposer may leave out is optional here; `withDefaults` fills it. */
export const planInputSchema = z.strictObject({
  apiVersion: z.literal("continuum/v1"),
  kind: z.literal("DeploymentPlan"),
  metadata: z.strictObject({
    name: dnsLabel,
    labels: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/), z.string().max(256)).optional(),
  }),
  spec: z.strictObject({
    environment: z.enum(ENVIRONMENTS),
    target: z.enum(TARGETS).optional(),
    runtime: z.enum(RUNTIMES).optional(),
    workload: z.strictObject({ kind: z.enum(WORKLOADS).optional() }).optional(),
    model: z.strictObject({ name: text(128), version: text(64), artifact, image: image.optional() }),
    compute: z.strictObject({ instanceType: text(64), instanceCount: integer(1, 10_000).optional() }),
    budget: z.strictObject({ maxUsdPerHour: z.number().positive().max(1e9).optional() }).optional(),
    rollout: z
      .strictObject({
        strategy: z.enum(STRATEGIES).optional(),
        stepPercent: integer(1, 100).optional(),
        bakeSeconds: integer(0, 86_400).optional(),
        deadlineSeconds: integer(1, 604_800).optional(),
        judgement: judgementSchema.optional(),
      })
      .optional(),
    rollback: z
      .strictObject({ alarms: z.array(text(128)).max(32).optional(), onHealthCheckFailure: z.boolean().optional() })
      .optional(),
    monitor: monitorSchema.optional(),
    dryRun: z.boolean().optional(),
  }),
});

export type PlanInput = z.infer<typeof planInputSchema>;
type Spec = PlanInput["spec"];

/** A plan with every default filled in; what is digested, stored, decided and run. */
export interface Plan {
  apiVersion: "continuum/v1";
  kind: "DeploymentPlan";
  metadata: PlanInput["metadata"];
  spec: {
    environment: Environment;
    target: TargetName;
    runtime: (typeof RUNTIMES)[number];
    workload: { kind: (typeof WORKLOADS)[number] };
    model: Spec["model"];
    compute: { instanceType: string; instanceCount: number };
    budget?: { maxUsdPerHour?: number };
    rollout: {
      strategy: Strategy;
      stepPercent: number;
      bakeSeconds: number;
      deadlineSeconds: number;
      /** What it leaves out has the documented default, which is not written into the plan. */
      judgement?: NonNullable<NonNullable<Spec["rollout"]>["judgement"]>;
    };
    rollback: { alarms?: string[]; onHealthCheckFailure: boolean };
    monitor?: NonNullable<Spec["monitor"]>;
    dryRun: boolean;
  };
}
