import type { Handlers, ServiceParts } from "./handler.ts";

export function policyHandlers(parts: ServiceParts): Handlers<"policy.list" | "prices.show"> {
  return {
    "policy.list": async () => ({ digest: parts.policySet.digest, policies: [] }),
    "prices.show": async () => parts.prices,
  };
}
