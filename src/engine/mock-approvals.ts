import type { Obligation } from "../core/policy/decision.ts";
import type { MockApprovalStep, Rollout } from "../core/rollout/rollout.ts";

/** No principal can be called so: ids of people hold no colon. */
const MOCK_APPROVER = "mock:";

/**
 * The approval workflow of a simulated rollout, as the steps that people would take: for each place of each need a
 * request that would expire, and a decision by a mock. Nobody is asked, and nothing of it is an approval: it stands in
 * the event alone, never among the rollout's approvals.
 */
export function mockApprovals(
  obligations: readonly Obligation[],
  at: { rollout: Pick<Rollout, "simulation">; nowMs: number; expirySeconds: number },
): MockApprovalStep[] {
  const { nowMs, expirySeconds } = at;
  if (!at.rollout.simulation) return [];
  const [requestedAt, expiresAt] = [nowMs, nowMs + expirySeconds * 1000].map((ms) => new Date(ms).toISOString());
  return obligations.flatMap((obligation) => {
    if (obligation.kind !== "approval") return [];
    const { role, count, mfa, signed } = obligation;
    const places = Array.from({ length: count }, (_, index) => index + 1);
    return places.flatMap((place): MockApprovalStep[] => [
      { role, step: "requested", at: requestedAt ?? "", expiresAt: expiresAt ?? "", mfa, signed },
      { role, step: "decided", at: requestedAt ?? "", by: `${MOCK_APPROVER}${role}-${place}`, decision: "approved" },
    ]);
  });
}
