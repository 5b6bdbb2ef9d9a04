import type { Plan, PlanInput } from "./schema.ts";

/** Fills in the documented defaults, and there are no others. Source: the public contract, "Plan". */
export function withDefaults(input: PlanInput): Plan {
  const { spec } = input;
  const production = spec.environment === "production";
  return {
    apiVersion: input.apiVersion,
    kind: input.kind,
    metadata: input.metadata,
    spec: {
      environment: spec.environment,
      target: spec.target ?? "local",
      runtime: spec.runtime ?? "auto",
      workload: { kind: spec.workload?.kind ?? "inference" },
      model: spec.model,
      compute: {
        instanceType: spec.compute.instanceType,
        instanceCount: spec.compute.instanceCount ?? (production ? 2 : 1),
      },
      ...(spec.budget && { budget: withoutUndefined(spec.budget) }),
      rollout: {
        strategy: spec.rollout?.strategy ?? "canary",
        stepPercent: spec.rollout?.stepPercent ?? 10,
        bakeSeconds: spec.rollout?.bakeSeconds ?? 60,
        deadlineSeconds: spec.rollout?.deadlineSeconds ?? 600,
        ...(spec.rollout?.judgement && { judgement: spec.rollout.judgement }),
      },
      rollback: {
        ...(spec.rollback?.alarms && { alarms: spec.rollback.alarms }),
        onHealthCheckFailure: spec.rollback?.onHealthCheckFailure ?? true,
      },
      ...(spec.monitor && { monitor: spec.monitor }),
      dryRun: spec.dryRun ?? production,
    },
  };
}

function withoutUndefined(budget: { maxUsdPerHour?: number | undefined }): { maxUsdPerHour?: number } {
  return budget.maxUsdPerHour === undefined ? {} : { maxUsdPerHour: budget.maxUsdPerHour };
}
