import type { Handlers, ServiceParts } from "./handler.ts";
import { policyActivationHandlers } from "./policy-activation.ts";
import { policyBundleHandlers } from "./policy-bundles.ts";
import { policyProposalHandlers } from "./policy-proposals.ts";
import { type PolicyReading, policyReadingHandlers } from "./policy-reading.ts";

type Changing = "policy.propose" | "policy.withdraw" | "policy.statement" | "policy.activate" | "policy.bundle";

/** What decisions are made with, and how that changes. */
export function policyHandlers(parts: ServiceParts): Handlers<PolicyReading | Changing> {
  return {
    ...policyReadingHandlers(parts),
    ...policyProposalHandlers(parts),
    ...policyActivationHandlers(parts),
    ...policyBundleHandlers(parts),
  };
}
