import type { InvokeProblem } from "./problem.ts";
import type { RouterLimits } from "./router-limits.ts";

/** What the host, or one tenant, or one endpoint takes at the moment. */
export interface Load {
  inFlight: number;
  heldBytes: number;
}

/** Of what the host takes at a time: one tenant's callers, however slow they send, leave the others room. */
const TENANT_SHARE_MAX = 0.75;

/** The load of each tenant that ever had an endpoint here. */
export class TenantLoads {
  readonly #loads = new Map<string, Load>();

  of(tenant: string): Load {
    let load = this.#loads.get(tenant);
    if (load === undefined) {
      load = { inFlight: 0, heldBytes: 0 };
      this.#loads.set(tenant, load);
    }
    return load;
  }
}

/** Why one more request cannot be taken now; null when it can. */
export function overload(
  limits: RouterLimits,
  now: { host: Load; tenant: Load; endpointInFlight: number },
): { code: InvokeProblem; detail: string } | null {
  const { host, tenant } = now;
  if (host.inFlight >= limits.inFlightMax || host.heldBytes >= limits.heldBytesMax)
    return { code: "unavailable", detail: "this host answers as many requests as it can" };
  const tenantInFlightMax = Math.ceil(limits.inFlightMax * TENANT_SHARE_MAX);
  if (tenant.inFlight >= tenantInFlightMax || tenant.heldBytes >= limits.heldBytesMax * TENANT_SHARE_MAX)
    return { code: "too-many-requests", detail: "this host answers as many of the tenant's requests as it may" };
  if (now.endpointInFlight >= limits.endpointInFlightMax)
    return { code: "too-many-requests", detail: "the endpoint answers as many requests as it may" };
  return null;
}
