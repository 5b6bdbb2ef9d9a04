import { stringify } from "yaml";
import type { PlanInput } from "../../../src/core/plan/schema.ts";

const DIGEST = "0123456789abcdef".repeat(4);

const small: PlanInput = {
  apiVersion: "continuum/v1",
  kind: "DeploymentPlan",
  metadata: { name: "churn" },
  spec: {
    environment: "development",
    model: { name: "churn", version: "1.0.0", artifact: `store:sha256:${DIGEST}` },
    compute: { instanceType: "ml.m5.large" },
    rollback: { alarms: ["ModelMonitorAlarm", "DataDriftAlarm"] },
  },
};

const whole: PlanInput = {
  ...small,
  metadata: { name: "churn-2", labels: { team: "growth" } },
  spec: {
    ...small.spec,
    environment: "production",
    target: "local",
    runtime: "auto",
    workload: { kind: "inference" },
    model: { ...small.spec.model, image: `registry/repo@sha256:${DIGEST}` },
    compute: { instanceType: "ml.m5.xlarge", instanceCount: 2 },
    budget: { maxUsdPerHour: 15 },
    rollout: { strategy: "canary", stepPercent: 10, bakeSeconds: 60, deadlineSeconds: 600 },
    rollback: { alarms: ["ModelMonitorAlarm", "DataDriftAlarm"], onHealthCheckFailure: true },
    monitor: {
      baseline: `store:sha256:${DIGEST}`,
      dataDrift: {},
      modelQuality: { label: "churned", problem: "binary" },
      bias: { facet: "gender", favoured: ["f"] },
    },
    dryRun: false,
  },
};

export const PLANS: readonly PlanInput[] = [
  small,
  whole,
  { ...small, spec: { ...small.spec, target: "simulated", environment: "staging" } },
];

/** Values that are right somewhere in a plan, and where the policy's limits lie. */
export const PLAN_VALUES: readonly unknown[] = [
  ...["development", "staging", "production", "local", "simulated", "sagemaker", "braket", "auto", "gpu", "quantum"],
  ...["ml.m5.large", "ml.g5.48xlarge", "ml.unknown.large", "canary", "linear", "all-at-once", "inference", "mixed"],
  ...[1, 2, 3, 4, 5, 10, 50, 100, 599, 600, 601, 900, 0.1, 14.99, 15, 50.000001, true, false, {}, []],
  ...["ModelMonitorAlarm", "DataDriftAlarm", ["DataDriftAlarm"], `store:sha256:${DIGEST}`, `r@sha256:${DIGEST}`],
];

export function planYaml(plan: PlanInput): string {
  return stringify(plan);
}
