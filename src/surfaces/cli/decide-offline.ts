import { decide } from "../../core/policy/decide.ts";
import type { Decision } from "../../core/policy/decision.ts";
import type { OfflinePolicy } from "./offline-policy.ts";
import type { PreparedPlan } from "./prepare-plan.ts";

/** Decides as for a live rollout, with nothing but the policies: what only a server knows comes back as unchecked. */
export function decideOffline(policy: OfflinePolicy, { plan, planDigest }: PreparedPlan): Decision {
  return decide(policy.set, {
    plan,
    planDigest,
    facts: { gate: "propose", source: policy.source, principal: { kind: "human" } },
    prices: policy.prices,
    settings: policy.settings,
  });
}
