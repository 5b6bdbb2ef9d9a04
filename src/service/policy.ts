import { listPolicies } from "../core/policy/list.ts";
import type { Handlers, ServiceParts } from "./handler.ts";

/** What decisions are made with now. */
export function policyHandlers(parts: ServiceParts): Handlers<"policy.list" | "prices.show"> {
  return {
    "policy.list": async () => ({ digest: parts.policySet.digest, policies: listPolicies(parts.policySet) }),
    "prices.show": async () => parts.prices,
  };
}
