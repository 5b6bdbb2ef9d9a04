import { z } from "zod";
import type { OperationName } from "../contract/operations.ts";
import { keyOf } from "../engine/admission.ts";
import { type EventBody, signal } from "../engine/commit.ts";
import { planOfBytes } from "../engine/gate.ts";
import { propose } from "../engine/proposal.ts";
import { readEndpoint } from "../store/queries/endpoints.ts";
import { listRollouts, type RolloutRow, readPlanBytes, readRollout, readSnapshot } from "../store/queries/rollouts.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { proposedView } from "./plans.ts";
import { presentDetail } from "./present-detail.ts";
import { notFound, refuse } from "./refusal.ts";
import { followRollout } from "./rollout-events.ts";
import { type RolloutDetailView, rolloutDetailView, rolloutView } from "./rollout-view.ts";

type ActionName = "rollouts.pause" | "rollouts.resume" | "rollouts.promote" | "rollouts.abort" | "rollouts.rollback";

const afterShape = z.tuple([z.number(), z.string()]);

export function rolloutHandlers(
  parts: ServiceParts,
): Handlers<"rollouts.list" | "rollouts.get" | "rollouts.events" | ActionName> {
  return {
    "rollouts.list": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT, environment, name, phase, active } = input.query;
      const after = decodeCursor("rollouts.list", cursor, afterShape);
      const rows = await listRollouts(parts.database, {
        tenant: principal.tenant,
        limit: limit + 1,
        ...(environment === undefined ? {} : { environment }),
        ...(name === undefined ? {} : { name }),
        ...(phase === undefined ? {} : { phase }),
        ...(active === undefined ? {} : { open: active === "true" }),
        ...(after === undefined ? {} : { after: { createdAtMs: after[0], id: after[1] } }),
      });
      const keyOfRow = (row: RolloutRow) => [row.createdAt.getTime(), row.state.id];
      const view = (row: RolloutRow) => rolloutView(row.state, row.endedAt?.getTime() ?? null);
      return toPage(rows, { list: "rollouts.list", limit, keyOf: keyOfRow, view });
    },

    "rollouts.get": async ({ principal, input }) => {
      const row = await find(parts, principal.tenant, input.params.id);
      return presentDetail(parts, row);
    },

    "rollouts.events": async ({ principal, input, signal: ended }) => {
      const { state } = await find(parts, principal.tenant, input.params.id);
      return followRollout(parts, { tenant: state.tenant, id: state.id, after: input.query.after ?? 0, ended });
    },

    "rollouts.pause": (call) => act(parts, call, { type: "paused", ...saidBy(call) }),
    "rollouts.resume": (call) => act(parts, call, { type: "resumed", ...saidBy(call) }),
    "rollouts.promote": (call) => act(parts, call, { type: "promote-requested", ...saidBy(call) }),
    "rollouts.abort": (call) => act(parts, call, { type: "abort-requested", ...saidBy(call) }),
    "rollouts.rollback": async (call) => {
      const { state } = await find(parts, call.principal.tenant, call.input.params.id);
      if (state.phase === "Succeeded") return restore(parts, call);
      return act(parts, call, { type: "rollback-requested", ...saidBy(call) });
    },
  };
}

export async function find(parts: ServiceParts, tenant: string, id: string): Promise<RolloutRow> {
  return (await readRollout(parts.database, tenant, id)) ?? notFound("rollout");
}

export function detailOf(row: RolloutRow): RolloutDetailView {
  return rolloutDetailView(row.state, row.decision, row.endedAt?.getTime() ?? null);
}

/** Says something to a rollout in the caller's name; what the reducer refuses is refused with its sentence. */
export async function say<N extends OperationName>(
  parts: ServiceParts,
  call: Call<N>,
  to: { rolloutId: string; event: Parameters<typeof signal>[1]["event"] },
): Promise<RolloutDetailView> {
  const { tenant } = call.principal;
  const { accepted, refusal } = await signal(parts, {
    tenant,
    rolloutId: to.rolloutId,
    event: to.event,
    actor: call.actor,
    cause: `request/${call.requestId}`,
  });
  if (!accepted) refuse("not-acceptable-now", refusal ?? "The rollout does not take this now.");
  return detailOf(await find(parts, tenant, to.rolloutId));
}

/** Who asks, and the words that were given for it; they stay with the event, and out of the audit log. */
function saidBy({ principal, input }: Call<ActionName>): { by: string; comment?: string } {
  const { comment } = input.body;
  return comment === undefined ? { by: principal.id } : { by: principal.id, comment };
}

async function act(parts: ServiceParts, call: Call<ActionName>, event: EventBody): Promise<RolloutDetailView> {
  const { id } = call.input.params;
  await find(parts, call.principal.tenant, id);
  return say(parts, call, { rolloutId: id, event });
}

/** What ran before a rollout that succeeded comes back as a rollout of its own, from the plan its snapshot names. */
async function restore(parts: ServiceParts, call: Call<"rollouts.rollback">): Promise<RolloutDetailView> {
  const { tenant } = call.principal;
  const { state } = await find(parts, tenant, call.input.params.id);
  const endpoint = await readEndpoint(parts.database, keyOf(state));
  if (endpoint?.liveRollout !== state.id) {
    refuse("not-acceptable-now", "This version does not serve any more; roll back the rollout that serves now.");
  }
  const snapshot = await readSnapshot(parts.database, tenant, state.id);
  if (snapshot === undefined || snapshot.livePlanDigest === null) {
    return refuse("not-acceptable-now", "Nothing ran before this version; delete the endpoint instead.");
  }
  const bytes = await readPlanBytes(parts.database, tenant, snapshot.livePlanDigest);
  if (bytes === undefined) return refuse("not-acceptable-now", "The plan that ran before is not stored any more.");
  const restores = { rollout: state.id, snapshotSha256: snapshot.sha256 };
  const plan = planOfBytes(bytes, false);
  return proposedView(parts, await propose(parts, { tenant, actor: call.actor, plan, restores }));
}
