import type { OperationOutput } from "../contract/operations.ts";
import type { Environment, TargetName } from "../core/plan/schema.ts";
import type { EndpointStatus } from "../drivers/target/target.ts";
import { planOfBytes } from "../engine/gate.ts";
import type { EndpointKey } from "../store/queries/admission.ts";
import type { EndpointRow } from "../store/queries/endpoints.ts";
import type { ServiceParts } from "./handler.ts";

export type EndpointView = OperationOutput<"endpoints.get">;

/** A target that does not answer must not keep the control plane's own answer from coming. */
const DESCRIBE_TIMEOUT_MS = 2000;

/** What the target reports now; undefined when it cannot be reached or does not know the endpoint. */
export async function describeEndpoint(
  parts: Pick<ServiceParts, "targets" | "log">,
  at: EndpointKey,
): Promise<EndpointStatus | undefined> {
  const target = parts.targets.get(at.target as TargetName);
  if (target === undefined) return undefined;
  const endpoint = { environment: at.environment as Environment, target: at.target as TargetName, name: at.name };
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), DESCRIBE_TIMEOUT_MS);
  try {
    return await Promise.race([target.describe({ tenant: at.tenant, endpoint }), late]);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    parts.log.warn("endpoint-not-described", { tenant: at.tenant, target: at.target, code });
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** The endpoint as the control plane wants it, with what the target says beside it. */
export function endpointView(row: EndpointRow, status: EndpointStatus | undefined): EndpointView {
  const plan = row.planBytes === null ? null : planOfBytes(row.planBytes, false);
  const target = row.target as TargetName;
  return {
    endpoint: { environment: row.environment as Environment, target, name: row.name },
    liveRollout: row.liveRollout,
    activeRollout: row.activeRollout,
    planDigest: row.livePlanDigest,
    model: plan === null ? null : { name: plan.spec.model.name, version: plan.spec.model.version },
    instanceType: plan?.spec.compute.instanceType ?? null,
    instanceCount: row.instanceCount,
    usdPerHour: row.liveRollout === null ? null : row.microUsdPerHour / 1e6,
    generation: row.generation,
    simulated: target === "simulated",
    simulation: target === "simulated",
    invokeUrl: status?.invokeUrl ?? null,
    variants: status === undefined ? null : status.variants.map(variantView),
    updatedAt: row.updatedAt.toISOString(),
  };
}

function variantView(variant: EndpointStatus["variants"][number]): NonNullable<EndpointView["variants"]>[number] {
  const { role, modelVersion, artifactDigest, percent, requests, errors, latencyMs, replicas } = variant;
  const { p50, p99 } = latencyMs;
  const { wanted, healthy } = replicas;
  return {
    variant: variant.variant,
    ...{ role, modelVersion, artifactDigest, percent, requests, errors },
    latencyMs: { p50, p99 },
    replicas: { wanted, healthy },
  };
}
