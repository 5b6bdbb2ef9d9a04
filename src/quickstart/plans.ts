import type { PlanInput } from "../core/plan/schema.ts";

/** The alarms that AO-8 asks for. */
const ALARMS = ["ModelMonitorAlarm", "DataDriftAlarm"];

/** A plan as someone would write it for this model; only what differs from the defaults. */
export function modelPlan(version: string, artifactDigest: string, changes: { bakeSeconds: number }): PlanInput {
  return {
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name: "tumours" },
    spec: {
      environment: "development",
      target: "local",
      model: { name: "breast-cancer", version, artifact: `store:${artifactDigest}` },
      compute: { instanceType: "ml.m5.large" },
      rollout: { strategy: "canary", stepPercent: 20, bakeSeconds: changes.bakeSeconds, deadlineSeconds: 60 },
      rollback: { alarms: ALARMS },
    },
  };
}

/** What a hurried proposer might send: too large a machine for development, no alarms, and no automatic rollback. */
export function carelessPlan(plan: PlanInput): PlanInput {
  return {
    ...plan,
    spec: {
      ...plan.spec,
      compute: { instanceType: "ml.g5.12xlarge", instanceCount: 15 },
      rollback: { onHealthCheckFailure: false },
    },
  };
}

export function stagingPlan(plan: PlanInput): PlanInput {
  return { ...plan, spec: { ...plan.spec, environment: "staging" } };
}

export function productionPlan(plan: PlanInput): PlanInput {
  return {
    ...plan,
    spec: {
      ...plan.spec,
      environment: "production",
      compute: { instanceType: "ml.m5.xlarge", instanceCount: 2 },
      monitor: {
        baseline: plan.spec.model.artifact,
        dataDrift: {},
        modelQuality: { label: "malignant", problem: "binary" },
        bias: { facet: "mean_radius", favoured: ["high"] },
      },
    },
  };
}
