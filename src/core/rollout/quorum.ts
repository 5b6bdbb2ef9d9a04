import type { Approval, ApprovalNeed } from "./rollout.ts";

/**
 * Who may complete which need. One person counts once, whatever the roles, so approver and budget owner are always two
 * people; and one approval counts for one need, so two needs are never discharged by a single signature.
 */

/** What is still needed after these approvals, with the counts that are left; empty when the quorum is complete. */
export function unmetNeeds(needs: readonly ApprovalNeed[], approvals: readonly Approval[]): ApprovalNeed[] {
  if (approvals.some(breaksGlass)) return [];
  const filled = match(needs, approvals);
  return needs
    .map((need, index) => ({ ...need, count: need.count - filled.filter((of) => of === index).length }))
    .filter((need) => need.count > 0);
}

/** Whether an approval stands for the whole quorum. One without its signature or its second factor is none at all. */
export function breaksGlass({ role, mfa, signed }: Approval): boolean {
  return role === "break-glass" && mfa && signed;
}

/** How many approvals count towards some need. A broken glass counts for all of them, and for its own. */
export function countingApprovals(needs: readonly ApprovalNeed[], approvals: readonly Approval[]): number {
  if (approvals.some(breaksGlass)) return needs.reduce((sum, { count }) => sum + count, 1);
  return match(needs, approvals).length;
}

function fits(need: ApprovalNeed, approval: Approval): boolean {
  return approval.role === need.role && (approval.mfa || !need.mfa) && (approval.signed || !need.signed);
}

/**
 * The largest assignment of approvals to the places that the needs offer, as the need's index for each place taken:
 * bipartite matching by augmenting paths (Kuhn 1955). Taking the first need that fits would waste a signed approval on
 * a need that asks for no signature.
 */
function match(needs: readonly ApprovalNeed[], approvals: readonly Approval[]): number[] {
  const people = approvals.filter((one, index) => approvals.findIndex((a) => a.approver === one.approver) === index);
  const places = needs.flatMap((need, index) =>
    Array.from({ length: Math.min(need.count, people.length) }, () => ({ need, index })),
  );
  const takenBy = new Map<number, Approval>();
  const place = (approval: Approval, seen: Set<number>): boolean =>
    places.some(({ need }, at) => {
      if (seen.has(at) || !fits(need, approval)) return false;
      seen.add(at);
      const holder = takenBy.get(at);
      if (holder !== undefined && !place(holder, seen)) return false;
      takenBy.set(at, approval);
      return true;
    });
  for (const approval of people) place(approval, new Set());
  return places.flatMap(({ index }, at) => (takenBy.has(at) ? [index] : []));
}
