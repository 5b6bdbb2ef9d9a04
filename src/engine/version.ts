import { sha256Digest } from "../core/plan/canonical.ts";
import { judgementSettings } from "../core/plan/monitor-settings.ts";
import type { Plan } from "../core/plan/schema.ts";
import type { Rollout } from "../core/rollout/rollout.ts";
import type { Guard, VersionSpec } from "../drivers/target/target.ts";
import { EngineError } from "./engine-error.ts";

/** The version that a rollout's plan asks for. Throws `artifact-not-imported`. */
export function versionOf(rollout: Rollout): VersionSpec {
  const { model, compute } = rollout.plan.spec;
  return {
    variant: rollout.id,
    modelName: model.name,
    modelVersion: model.version,
    artifactDigest: artifactDigest(rollout.plan),
    instanceType: compute.instanceType,
    instanceCount: compute.instanceCount,
    planDigest: rollout.planDigest,
  };
}

function artifactDigest({ spec }: Plan): string {
  const { artifact } = spec.model;
  const named = /^(?:store:|oci:\/\/[^@]+@)(sha256:[0-9a-f]{64})$/.exec(artifact)?.[1];
  if (named !== undefined) return named;
  // Nothing is loaded there, so the reference itself stands for the bytes.
  if (spec.target === "simulated") return sha256Digest(artifact);
  throw new EngineError("artifact-not-imported", `The artifact ${artifact} is not in the store; import it first.`);
}

/** What the data plane may act on by itself while the rollout shifts and bakes. */
export function guardOf(plan: Plan): Guard {
  const { alpha, requestsMin, errorRateExcessMax, latencyRatioMax, promoteOn } = judgementSettings(plan);
  const { onHealthCheckFailure } = plan.spec.rollback;
  return { alpha, requestsMin, errorRateExcessMax, latencyRatioMax, promoteOn, onHealthCheckFailure };
}

/** A version that served before is put back: there is nothing to judge it against. */
export const RECONCILED_GUARD: Guard = {
  ...{ alpha: 0.01, requestsMin: 30, errorRateExcessMax: 0.01, latencyRatioMax: 1.5 },
  onHealthCheckFailure: false,
};
