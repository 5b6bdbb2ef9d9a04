import type { PlanInput } from "../core/plan/schema.ts";

/** The alarms that AO-8 asks for. */
const ALARMS = ["ModelMonitorAlarm", "DataDriftAlarm"];

/**
 * The story runs on machines that have other things to do, and at 100 % nothing is left to compare with but the latencies
 * of a moment before: what is twice as slow there is the machine and not the version.
 */
export const LATENCY_RATIO_MAX = 5;
const JUDGEMENT = { latencyRatioMax: LATENCY_RATIO_MAX } as const;

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
      rollout: {
        strategy: "canary",
        stepPercent: 20,
        bakeSeconds: changes.bakeSeconds,
        deadlineSeconds: 60,
        judgement: JUDGEMENT,
      },
      rollback: { alarms: ALARMS },
    },
  };
}

/** Half of the traffic tells two versions apart soonest; a window closes with `rowsMin` rows of the candidate's. */
const WATCHED_ROLLOUT = {
  strategy: "canary",
  stepPercent: 50,
  bakeSeconds: 6,
  deadlineSeconds: 180,
  judgement: JUDGEMENT,
} as const;
export const WATCHED_DRIFT = { rowsMin: 500, windowSeconds: 60 } as const;

/** The same with a monitor: what comes in is compared with `baseline`, a table in the store. */
export function watchedPlan(plan: PlanInput, baseline: string): PlanInput {
  return {
    ...plan,
    spec: { ...plan.spec, rollout: WATCHED_ROLLOUT, monitor: { baseline, dataDrift: WATCHED_DRIFT } },
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

/** Nothing serves there yet, so a bake has nothing to compare with and can be short. */
const FIRST_BAKE_SECONDS = 1;

export function stagingPlan(plan: PlanInput): PlanInput {
  return { ...plan, spec: { ...plan.spec, environment: "staging", rollout: shortBakes(plan) } };
}

/** With the monitor that AO-9 asks for; `baseline` is a table in the store. */
export function productionPlan(plan: PlanInput, baseline: string): PlanInput {
  return {
    ...plan,
    spec: {
      ...plan.spec,
      environment: "production",
      compute: { instanceType: "ml.m5.xlarge", instanceCount: 2 },
      rollout: shortBakes(plan),
      monitor: {
        baseline,
        dataDrift: {},
        modelQuality: { label: "malignant", problem: "binary" },
        bias: { facet: SIZE_GROUP, favoured: ["small"] },
      },
    },
  };
}

/** A model that nobody made, on machines that nobody has; dear enough that two people would have to approve. */
export function simulatedPlan(): PlanInput {
  const [model, baseline] = ["0", "1"].map((digit) => `sha256:${digit.repeat(64)}`);
  const plan = productionPlan(modelPlan("2.0.0", `${model}`, { bakeSeconds: 1 }), `store:${baseline}`);
  return { ...dearPlan(plan), spec: { ...dearPlan(plan).spec, target: "simulated", dryRun: false } };
}

/** The same on machines that cost more than $30.00 an hour together, where AO-12 asks for a further person. */
export function dearPlan(plan: PlanInput): PlanInput {
  return { ...plan, spec: { ...plan.spec, compute: { instanceType: "ml.g5.12xlarge", instanceCount: 5 } } };
}

/** The baseline's column of groups to compare, which the model is not told. */
export const SIZE_GROUP = "size_group";

function shortBakes({ spec }: PlanInput): PlanInput["spec"]["rollout"] {
  return { ...spec.rollout, bakeSeconds: FIRST_BAKE_SECONDS };
}
