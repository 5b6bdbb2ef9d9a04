import { z } from "zod";
import { NOTIFICATION_TYPE_NAMES } from "../core/notification/event-types.ts";
import { digestSchema, endpointSchema, timeSchema } from "./views.ts";

/** What is told of webhooks, and what webhooks tell. */

export const notificationTypeSchema = z.enum(
  NOTIFICATION_TYPE_NAMES,
  "must be one of the types that docs/guides/webhooks.md lists",
);

/** The body of every message to a webhook. Later versions may add members, and types that nobody is told unasked. */
export const webhookMessageSchema = z
  .object({
    type: notificationTypeSchema,
    timestamp: timeSchema.describe("When it happened"),
    data: z.object({
      tenant: z.string(),
      rollout: z.string().optional(),
      endpoint: endpointSchema.optional(),
      webhook: z.string().optional(),
      phase: z.string().optional(),
      fromPhase: z.string().optional(),
      sequence: z.number().int().optional(),
      planDigest: digestSchema.optional(),
      policyDigest: digestSchema.optional(),
      percent: z.number().optional().describe("Share of traffic on the candidate"),
      instanceCount: z.number().int().optional(),
      reason: z.string().optional().describe("A code"),
      alarm: z.string().optional(),
      clauses: z.array(z.string()).optional(),
      simulation: z.boolean().optional(),
      dryRun: z.boolean().optional(),
      url: z.string().optional().describe("Where the rollout is found, when the operator set webhooks.linkBaseUrl"),
    }),
  })
  .meta({ id: "WebhookMessage" });

export const webhookSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    description: z.string(),
    /** Types that it is told of; all when empty. */
    events: z.array(z.string()),
    enabled: z.boolean(),
    /** `operator`: somebody turned it off. `failures`: nothing arrived for days. `gone`: the receiver answered 410. */
    disabledReason: z.enum(["operator", "failures", "gone"]).nullable(),
    disabledAt: timeSchema.nullable(),
    /** Since when nothing arrives; null when the newest answer was good. */
    failingSince: timeSchema.nullable(),
    /** Until when the secret before the present one signs as well. */
    previousSecretUntil: timeSchema.nullable(),
    createdBy: z.string(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
  })
  .meta({ id: "Webhook" });

/** The answer that shows a secret, once. */
export const webhookSecretSchema = webhookSchema.extend({ secret: z.string() }).meta({ id: "WebhookWithSecret" });

export const deliverySchema = z
  .object({
    /** The `webhook-id` that the receiver sees, the same for every attempt and replay. */
    message: z.string(),
    webhook: z.string(),
    type: z.string(),
    state: z.enum(["pending", "delivered", "failed"]),
    attempts: z.array(
      z.object({
        attempt: z.number().int(),
        at: timeSchema,
        durationMs: z.number().int(),
        status: z.number().int().nullable(),
        /** A code; null when it arrived. */
        failure: z.string().nullable(),
      }),
    ),
    nextAttemptAt: timeSchema.nullable(),
    createdAt: timeSchema,
    endedAt: timeSchema.nullable(),
  })
  .meta({ id: "WebhookDelivery" });
