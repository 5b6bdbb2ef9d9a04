import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { unmetNeeds } from "../core/rollout/quorum.ts";
import { listRollouts, type RolloutRow } from "../store/queries/rollouts.ts";
import { approvalKeyHandlers } from "./approval-keys.ts";
import { approvalReviewHandlers } from "./approval-reviews.ts";
import { approve } from "./approvals-approve.ts";
import { approvalStatement } from "./approvals-prepare.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { optionalTime, rolloutView } from "./rollout-view.ts";
import { find, say } from "./rollouts.ts";
import { stepUpHandlers } from "./step-up-handlers.ts";

const afterShape = z.tuple([z.number(), z.string()]);

type ApprovalName = "list" | "show" | "statement" | "approve" | "reject";

/** People's decisions, and what people prove them with. That an agent or a service never gets here the service holds. */
export function approvalHandlers(
  parts: ServiceParts,
): Handlers<`approvals.${ApprovalName}`> &
  ReturnType<typeof approvalReviewHandlers> &
  ReturnType<typeof approvalKeyHandlers> &
  ReturnType<typeof stepUpHandlers> {
  return {
    ...approvalReviewHandlers(parts),
    ...approvalKeyHandlers(parts),
    ...stepUpHandlers(parts),

    "approvals.list": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("approvals.list", cursor, afterShape);
      const rows = await listRollouts(parts.database, {
        tenant: principal.tenant,
        phase: "AwaitingApproval",
        limit: limit + 1,
        ...(after === undefined ? {} : { after: { createdAtMs: after[0], id: after[1] } }),
      });
      const keyOf = (row: RolloutRow) => [row.createdAt.getTime(), row.state.id];
      return toPage(rows, { list: "approvals.list", limit, keyOf, view: requestView });
    },

    "approvals.show": async ({ principal, input }) => {
      return requestView(await find(parts, principal.tenant, input.params.id));
    },

    "approvals.statement": (call) => approvalStatement(parts, call),
    "approvals.approve": (call) => approve(parts, call),

    "approvals.reject": async (call) => {
      const { state } = await find(parts, call.principal.tenant, call.input.params.id);
      const { comment } = call.input.body;
      const event = { type: "rejected" as const, by: call.principal.id, ...(comment === undefined ? {} : { comment }) };
      return say(parts, call, { rolloutId: state.id, event });
    },
  };
}

function requestView(row: RolloutRow): OperationOutput<"approvals.show"> {
  const { state, decision } = row;
  const open = unmetNeeds(state.needs, state.approvals);
  const needs = state.needs.map(({ role, count, mfa, signed }) => {
    const missing = open.find((need) => need.role === role && need.mfa === mfa && need.signed === signed)?.count ?? 0;
    const clauses = decision.obligations
      .filter((one) => one.kind === "approval" && one.role === role && one.mfa === mfa && one.signed === signed)
      .flatMap((one) => one.clauses);
    return { role, count, mfa, signed, given: count - missing, clauses };
  });
  const waits = state.phase === "AwaitingApproval";
  return {
    rollout: rolloutView(state, row.endedAt?.getTime() ?? null),
    planDigest: state.planDigest,
    needs,
    expiresAt: waits ? optionalTime(state.expiresAtMs) : null,
  };
}
