import { z } from "zod";
import type { Operation } from "./operation.ts";
import { byId, page } from "./operation-parts.ts";
import { pageOf, timeSchema } from "./views.ts";
import { deliverySchema, notificationTypeSchema, webhookSchema, webhookSecretSchema } from "./webhook-views.ts";

const url = z.string().min(1).max(2048);
const description = z.string().max(200);
const events = z.array(notificationTypeSchema).max(64);

/** For people who administer alone: an address may hold a secret, and where messages go is a way out of the network. */
const guarded = { permission: "administer", humansOnly: true } as const;

export const webhookOperations = {
  "webhooks.create": {
    summary: "Be told of what happens, at this address; the secret is shown once; people only",
    method: "POST",
    path: "/v1/webhooks",
    ...guarded,
    body: z.strictObject({ url, description: description.optional(), events: events.optional() }),
    output: webhookSecretSchema,
    status: 201,
  },
  "webhooks.list": {
    summary: "Webhooks, without their secrets; people only",
    method: "GET",
    path: "/v1/webhooks",
    ...guarded,
    query: z.object(page),
    output: pageOf(webhookSchema),
  },
  "webhooks.get": {
    summary: "One webhook; people only",
    method: "GET",
    path: "/v1/webhooks/{id}",
    ...guarded,
    params: byId,
    output: webhookSchema,
  },
  "webhooks.update": {
    summary: "Change a webhook, or turn it off and on; people only",
    method: "PUT",
    path: "/v1/webhooks/{id}",
    ...guarded,
    params: byId,
    body: z.strictObject({
      url: url.optional(),
      description: description.optional(),
      events: events.optional(),
      enabled: z.boolean().optional(),
    }),
    output: webhookSchema,
  },
  "webhooks.delete": {
    summary: "Remove a webhook and its delivery log; people only",
    method: "DELETE",
    path: "/v1/webhooks/{id}",
    ...guarded,
    params: byId,
    output: z.object({ deleted: z.boolean() }),
  },
  "webhooks.rotate": {
    summary: "Replace a webhook's secret; the old one signs as well for a while; people only",
    method: "POST",
    path: "/v1/webhooks/{id}/rotate",
    ...guarded,
    params: byId,
    body: z.strictObject({ overlapSeconds: z.number().int().min(0).max(2_592_000).optional() }),
    output: webhookSecretSchema,
  },
  "webhooks.test": {
    summary: "Send a test message to one webhook; people only",
    method: "POST",
    path: "/v1/webhooks/{id}/test",
    ...guarded,
    params: byId,
    output: deliverySchema,
    status: 202,
  },
  "webhooks.deliveries": {
    summary: "What a webhook was sent and how that went, newest first; people only",
    method: "GET",
    path: "/v1/webhooks/{id}/deliveries",
    ...guarded,
    params: byId,
    query: z.object({
      ...page,
      state: z.enum(["pending", "delivered", "failed"]).optional(),
      message: z.string().max(64).optional(),
    }),
    output: pageOf(deliverySchema),
  },
  "webhooks.replay": {
    summary: "Send again one message, or everything since a time; people only",
    method: "POST",
    path: "/v1/webhooks/{id}/replay",
    ...guarded,
    params: byId,
    body: z.union(
      [z.strictObject({ message: z.string().min(1).max(64) }), z.strictObject({ since: timeSchema })],
      "must be {message} or {since}, a time such as 2026-11-23T07:00:00Z",
    ),
    output: z.object({
      /** Deliveries that were begun; what is under way goes on and is not counted. */
      count: z.number().int(),
      /** Set when there is more: replay since then to go on. */
      nextSince: timeSchema.nullable(),
    }),
    status: 202,
  },
} as const satisfies Record<string, Operation>;
