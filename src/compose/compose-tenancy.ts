import type { Config } from "../config/schema.ts";
import type { Tenancy } from "../service/tenancy.ts";
import type { WorkloadIssuer } from "../service/workload-parts.ts";

const MEBIBYTE = 1024 * 1024;

export function composeTenancy({ tenants }: Config): Tenancy {
  const { programTokenSecondsMax, openRolloutsMax, tokensMax, webhooksMax, artifactMebibytesMax } = tenants;
  return {
    programTokenSecondsMax,
    quotas: { openRolloutsMax, tokensMax, webhooksMax, artifactBytesMax: artifactMebibytesMax * MEBIBYTE },
    rate: { requestsPerSecond: tenants.requestsPerSecond, burstMax: tenants.burstMax },
  };
}

/** Undefined when no issuer is set: then nothing is exchanged. */
export function composeWorkloadIssuer({ workloadIdentity, tenant }: Config): WorkloadIssuer | undefined {
  const { issuer, audience, jwksUrl } = workloadIdentity;
  if (issuer === undefined || audience === undefined) return undefined;
  return { issuer, audience, tenant, jwksUrl: jwksUrl ?? `${issuer.replace(/\/$/, "")}/.well-known/jwks` };
}
