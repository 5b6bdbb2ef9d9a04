import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { advance } from "../core/rollout/advance.ts";
import { whyNot } from "../core/rollout/allowed-actions.ts";
import { unmetNeeds } from "../core/rollout/quorum.ts";
import type { Admission, Approval, ApprovalNeed, Rollout } from "../core/rollout/rollout.ts";
import { admit } from "../engine/admission.ts";
import { checkCapacity } from "../engine/proposal.ts";
import type { Transaction } from "../store/database.ts";
import { readPrincipal } from "../store/queries/principals.ts";
import { listRollouts, type RolloutRow } from "../store/queries/rollouts.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import type { Principal } from "./principal.ts";
import { refuse } from "./refusal.ts";
import { optionalTime, type RolloutDetailView, rolloutView } from "./rollout-view.ts";
import { find, say } from "./rollouts.ts";

type ApprovalRole = Approval["role"];

const afterShape = z.tuple([z.number(), z.string()]);

/** People's decisions. That an agent or a service never gets here is held by the service for every humans-only operation. */
export function approvalHandlers(
  parts: ServiceParts,
): Handlers<"approvals.list" | "approvals.show" | "approvals.approve" | "approvals.reject"> {
  return {
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

    "approvals.approve": (call) => approve(parts, call),

    "approvals.reject": async (call) => {
      const { state } = await find(parts, call.principal.tenant, call.input.params.id);
      const { comment } = call.input.body;
      const event = { type: "rejected" as const, by: call.principal.id, ...(comment === undefined ? {} : { comment }) };
      return say(parts, call, { rolloutId: state.id, event });
    },
  };
}

async function approve(parts: ServiceParts, call: Call<"approvals.approve">): Promise<RolloutDetailView> {
  const { principal, input } = call;
  const { state: rollout } = await find(parts, principal.tenant, input.params.id);
  if (input.body.planDigest !== rollout.planDigest) {
    refuse("digest-mismatch", `The rollout is about the plan ${rollout.planDigest}, not the one that was read.`);
  }
  const why = whyNot("approve", rollout);
  if (why !== null) refuse("not-acceptable-now", why);
  await refuseOwnPlan(parts, principal, rollout);
  const need = neededFrom(principal, rollout, input.body.role);
  if (need.mfa || need.signed) {
    const lacks = [need.mfa ? "MFA" : "", need.signed ? "a signature" : ""].filter(Boolean).join(" and ");
    refuse("mfa-unavailable", `This approval needs ${lacks}, which this server cannot take yet.`);
  }
  const { comment } = input.body;
  const approval: Approval = {
    approver: principal.id,
    role: need.role,
    mfa: false,
    signed: false,
    atMs: parts.nowMs(),
    ...(comment === undefined ? {} : { comment }),
  };
  if (completes(parts, rollout, approval)) await checkCapacity(parts, rollout.plan);
  return say(parts, call, {
    rolloutId: rollout.id,
    event: async (tx, locked) => ({
      type: "approved",
      approval,
      admission: await admissionFor(tx, parts, locked, approval),
    }),
  });
}

/** Neither one's own plan nor that of an agent one answers for. */
async function refuseOwnPlan(parts: ServiceParts, principal: Principal, rollout: Rollout): Promise<void> {
  if (rollout.proposer === principal.id) refuse("own-plan", "You proposed this plan; another person must approve it.");
  const proposer = await readPrincipal(parts.database, principal.tenant, rollout.proposer);
  if (proposer?.owner === principal.id) {
    refuse("own-plan", `You answer for ${rollout.proposer}, which proposed this plan; another person must approve it.`);
  }
}

/** The need that this person can meet, of the role that was asked for if one was. */
function neededFrom(principal: Principal, rollout: Rollout, wanted: ApprovalRole | undefined): ApprovalNeed {
  const open = unmetNeeds(rollout.needs, rollout.approvals);
  const held = (role: ApprovalRole) => principal.roles.includes(role) || principal.roles.includes("admin");
  const fitting = open.filter(({ role }) => held(role) && (wanted === undefined || wanted === role));
  // A need that can be met now comes before one that cannot.
  const need = fitting.find(({ mfa, signed }) => !mfa && !signed) ?? fitting[0];
  if (need !== undefined) return need;
  const roles = open.map(({ role }) => role).join(", ");
  return refuse("forbidden", `What is still needed is an approval as ${roles}, and that is not yours to give.`);
}

/** Cost is reserved only by the approval that lets the rollout go on; until then it waits and takes nothing. */
async function admissionFor(
  tx: Transaction,
  parts: ServiceParts,
  rollout: Rollout,
  approval: Approval,
): Promise<Admission> {
  return completes(parts, rollout, approval) ? admit(tx, parts, rollout) : { ok: true, slotTaken: false };
}

function completes(parts: ServiceParts, rollout: Rollout, approval: Approval): boolean {
  const admission = { ok: true, slotTaken: false } as const;
  const trial = advance(rollout, { type: "approved", approval, admission, atMs: parts.nowMs() });
  return trial.accepted && trial.rollout.phase !== "AwaitingApproval" && trial.rollout.phase !== "Proposed";
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
