import type { Config } from "../config/schema.ts";
import type { Tenancy } from "../service/tenancy.ts";

const MEBIBYTE = 1024 * 1024;

export function composeTenancy({ tenants }: Config): Tenancy {
  const { programTokenSecondsMax, openRolloutsMax, tokensMax, webhooksMax, artifactMebibytesMax } = tenants;
  return {
    programTokenSecondsMax,
    quotas: { openRolloutsMax, tokensMax, webhooksMax, artifactBytesMax: artifactMebibytesMax * MEBIBYTE },
    rate: { requestsPerSecond: tenants.requestsPerSecond, burstMax: tenants.burstMax },
  };
}
