import type { Rollout } from "../../src/core/rollout/rollout.ts";
import type { Guard, VersionSpec } from "../../src/drivers/target/target.ts";

export const GUARD: Guard = {
  alpha: 0.01,
  requestsMin: 100,
  errorRateExcessMax: 0.01,
  latencyRatioMax: 1.5,
  onHealthCheckFailure: true,
};

export function versionOf({ id, plan, planDigest }: Rollout): VersionSpec {
  const { name: modelName, version: modelVersion, artifact: artifactDigest } = plan.spec.model;
  return { variant: id, modelName, modelVersion, artifactDigest, ...plan.spec.compute, planDigest };
}
