import type { Approval, Rollout } from "../../core/rollout/rollout.ts";
import type { Queryable } from "../../store/database.ts";
import { readRollout } from "../../store/queries/rollouts.ts";
import { type CheckedApprovals, verifyStoredApprovals } from "../approval-check.ts";
import type { EngineParts } from "../engine.ts";

/**
 * Whoever approves a plan approves its way back: the plan says which alarms take it, and until when. So a restore by an
 * alarm goes by the approvals of the rollout that it undoes. Each is verified again as at any gate (the signature, the
 * key, the role, the statement, the evidence that was seen), but for time and policy as they were when it was given:
 * nobody can renew it at night. Which approvals are due the policy in force says, of the plan that comes back. What does
 * not count, or is not enough, leaves the restore waiting for people like any other.
 */
export async function wayBackApprovals(
  db: Queryable,
  parts: Pick<EngineParts, "nowMs" | "policySet" | "signatures">,
  restore: Pick<Rollout, "tenant" | "restores" | "endpoint">,
): Promise<CheckedApprovals & { given: Approval[] }> {
  const none = { approvals: [], approverSigned: false, problems: [], given: [] };
  const { restores, tenant } = restore;
  if (restores?.alarm === undefined) return none;
  const undone = (await readRollout(db, tenant, restores.rollout))?.state;
  if (undone === undefined || !tookEffectHere(undone, restore)) return none;
  if (!(undone.plan.spec.rollback.alarms ?? []).includes(restores.alarm)) return none;
  const givenAtMs = Math.max(...undone.approvals.map(({ atMs }) => atMs));
  const asGiven = { ...parts, nowMs: () => givenAtMs };
  const checked = await verifyStoredApprovals(db, asGiven, undone, { policyDigest: undone.policyDigest });
  const counts = ({ approver, role }: Approval) =>
    checked.approvals.some((one) => one.approver === approver && one.role === role);
  return { ...checked, given: undone.approvals.filter(counts).map((one) => ({ ...one, wayBack: true })) };
}

/** It passed its gates, and at this endpoint. */
function tookEffectHere(undone: Rollout, { endpoint }: Pick<Rollout, "endpoint">): boolean {
  const { environment, target, name } = undone.endpoint;
  const here = environment === endpoint.environment && target === endpoint.target && name === endpoint.name;
  return here && undone.phase === "Succeeded" && undone.restores?.alarm === undefined;
}

export function withWayBack(own: CheckedApprovals, wayBack: CheckedApprovals): CheckedApprovals {
  return {
    approvals: [...own.approvals, ...wayBack.approvals],
    approverSigned: own.approverSigned || wayBack.approverSigned,
    problems: [...own.problems, ...wayBack.problems],
  };
}
