import { z } from "zod";
import type { OperationInput } from "../contract/operations.ts";
import type { TargetName } from "../core/plan/schema.ts";
import type { Effect } from "../drivers/target/target.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { activeRollout, type EndpointKey, lockEnvironment } from "../store/queries/admission.ts";
import {
  endpointRowExists,
  listEndpoints,
  lockEndpoint,
  nextGeneration,
  readEndpoint,
  writeRemoval,
} from "../store/queries/endpoints.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import { describeEndpoint, type EndpointView, endpointView } from "./endpoint-view.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import { scaleEndpoint } from "./scale-endpoint.ts";
import { applyEffect } from "./target-effect.ts";

type Params = OperationInput<"endpoints.get">["params"];

const afterShape = z.tuple([z.string(), z.string(), z.string()]);

export function endpointHandlers(
  parts: ServiceParts,
): Handlers<"endpoints.list" | "endpoints.get" | "endpoints.address" | "endpoints.scale" | "endpoints.delete"> {
  return {
    "endpoints.list": async ({ principal, input }) => {
      const { tenant } = principal;
      const { cursor, limit = PAGE_LIMIT, environment } = input.query;
      const after = decodeCursor("endpoints.list", cursor, afterShape);
      const rows = await listEndpoints(parts.database, {
        tenant,
        limit: limit + 1,
        ...(environment === undefined ? {} : { environment }),
        ...(after === undefined ? {} : { after: { environment: after[0], target: after[1], name: after[2] } }),
      });
      const described = await Promise.all(
        rows.map(async (row) => ({ row, status: await describeEndpoint(parts, { tenant, ...row }) })),
      );
      return toPage(described, {
        list: "endpoints.list",
        limit,
        keyOf: ({ row }) => [row.environment, row.target, row.name],
        view: ({ row, status }) => endpointView(row, status),
      });
    },

    "endpoints.get": ({ principal, input }) => show(parts, { tenant: principal.tenant, ...input.params }),

    "endpoints.address": async ({ principal, input }) => {
      const { invokeUrl } = await show(parts, { tenant: principal.tenant, ...input.params });
      return { invokeUrl };
    },

    "endpoints.scale": async (call) => {
      const at = { tenant: call.principal.tenant, ...call.input.params };
      await scaleEndpoint(parts, { at, actor: call.actor, requestId: call.requestId, ...call.input.body });
      return show(parts, at);
    },

    "endpoints.delete": (call) => remove(parts, call),
  };
}

async function show(parts: ServiceParts, at: EndpointKey & Params): Promise<EndpointView> {
  const row = (await readEndpoint(parts.database, at)) ?? notFound("endpoint");
  return endpointView(row, await describeEndpoint(parts, at));
}

/**
 * Deleting again is no error: a removal that did not reach the target is repeated by it. What is wanted is written
 * first, so that a crash in between leaves nothing that serves unknown to the control plane.
 */
async function remove(parts: ServiceParts, call: Call<"endpoints.delete">): Promise<{ deleted: boolean }> {
  const { tenant } = call.principal;
  const at = { tenant, ...call.input.params };
  const atMs = parts.nowMs();
  const { generation, served } = await parts.database.transaction(async (tx) => {
    await lockEndpoint(tx, at);
    await lockEnvironment(tx, tenant, at.environment);
    if (!(await endpointRowExists(tx, at))) return notFound("endpoint");
    const holder = await activeRollout(tx, at);
    if (holder !== undefined) refuse("endpoint-busy", `The rollout ${holder} holds the endpoint; abort it first.`);
    const served = (await readEndpoint(tx, at))?.liveRollout ?? null;
    const generation = await nextGeneration(tx);
    await writeRemoval(tx, at, { generation, atMs });
    const endpoint = `${at.environment}/${at.target}/${at.name}`;
    await appendAudit(tx, {
      tenant,
      atMs,
      actor: call.actor,
      action: "endpoint.delete",
      subject: `endpoint:${endpoint}`,
      outcome: "accepted",
      details: { endpoint, generation, ...(served === null ? {} : { rollout: served }) },
    });
    return { generation, served };
  });
  const effect: Effect = {
    tenant,
    endpoint: call.input.params,
    generation,
    idempotencyKey: `delete/${call.requestId}`,
  };
  const target = parts.targets.get(at.target as TargetName);
  if (target !== undefined) await applyEffect(() => target.remove(effect));
  return { deleted: served !== null };
}
