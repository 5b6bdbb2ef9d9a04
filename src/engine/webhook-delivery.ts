import { ContinuumError } from "../core/error.ts";
import type { Notification } from "../core/notification/notification.ts";
import { ATTEMPTS_MAX, retryDelayMs } from "../core/notification/retry-schedule.ts";
import type { SendResult } from "../drivers/notifications/notifications.ts";
import type { Transaction } from "../store/database.ts";
import { type DeliveryRow, recordAttempt } from "../store/queries/webhook-deliveries.ts";
import { disableWebhook, noteWebhookHealth, readWebhook, type WebhookRow } from "../store/queries/webhooks.ts";
import { appendAudit } from "./audit-log.ts";
import { SYSTEM } from "./engine.ts";
import { notificationOf } from "./webhook-dispatch.ts";
import type { TellingParts } from "./webhook-parts.ts";
import { openSecret } from "./webhook-secret.ts";

/**
 * Why an attempt failed: the sender's word, or ours when it came to none. `secret-unreadable`: the secret lies under
 * another key. `not-told`: the audit entry that it tells of cannot be read.
 */
export type AttemptFailure = NonNullable<SendResult["failure"]> | "secret-unreadable" | "not-told";

type Attempt = Omit<SendResult, "failure"> & { failure: AttemptFailure | null };

const UNSENT = { status: null, durationMs: 0, retryAfterSeconds: 0 };

/**
 * One attempt of a claimed delivery, and its record. Nothing is held meanwhile: who dies in between leaves a claim that
 * runs out, and the message is sent again under the same id. Answers the failure, or null when it arrived.
 */
export async function deliver(parts: TellingParts, delivery: DeliveryRow): Promise<AttemptFailure | null> {
  const { tenant } = delivery;
  const webhook = await readWebhook(parts.database, { tenant, id: delivery.webhook });
  // Removed since it was claimed, and its deliveries with it.
  if (webhook === undefined) return null;
  const attempt = await send(parts, delivery, webhook);
  await parts.database.transaction((tx) => record(tx, parts, { delivery, attempt }));
  if (attempt.failure !== null) {
    const { failure: code, status, durationMs } = attempt;
    const facts = { tenant, code, durationMs, attempts: delivery.attempts };
    parts.log.warn("webhook-attempt-failed", status === null ? facts : { ...facts, status });
  }
  return attempt.failure;
}

async function send(parts: TellingParts, delivery: DeliveryRow, webhook: WebhookRow): Promise<Attempt> {
  const notification = await notificationOf(parts.database, delivery);
  if (notification === undefined) return { ...UNSENT, failure: "not-told" };
  const secrets = await secretsOf(parts, webhook);
  if (secrets === undefined) return { ...UNSENT, failure: "secret-unreadable" };
  return parts.webhooks.notifications.send({
    ...{ url: webhook.url, id: notification.id, atMs: parts.nowMs(), secrets },
    body: bodyOf(notification, parts.webhooks.linkBaseUrl),
  });
}

/** The newest first; the one before it as long as receivers may still have it. */
async function secretsOf(parts: TellingParts, webhook: WebhookRow): Promise<Uint8Array[] | undefined> {
  const { tenant, id, secret, previousSecret, previousUntil } = webhook;
  const stillSigns = previousSecret !== null && previousUntil !== null && previousUntil.getTime() > parts.nowMs();
  const key = await parts.webhooks.sealingKey();
  try {
    return [secret, ...(stillSigns ? [previousSecret] : [])].map((sealed) =>
      openSecret(key, { tenant, webhook: id }, sealed),
    );
  } catch (error) {
    if (error instanceof ContinuumError && error.code === "secret-unreadable") return undefined;
    throw error;
  }
}

function bodyOf({ type, timestamp, data }: Notification, linkBaseUrl: string | undefined): string {
  const path = data.rollout === undefined ? undefined : `/v1/rollouts/${encodeURIComponent(data.rollout)}`;
  const linked = linkBaseUrl === undefined || path === undefined ? data : { ...data, url: `${linkBaseUrl}${path}` };
  return JSON.stringify({ type, timestamp, data: linked });
}

async function record(
  tx: Transaction,
  parts: TellingParts,
  { delivery, attempt }: { delivery: DeliveryRow; attempt: Attempt },
): Promise<void> {
  const atMs = parts.nowMs();
  const at = { tenant: delivery.tenant, id: delivery.webhook };
  const { failure, status, durationMs } = attempt;
  const round = delivery.attempts - delivery.attemptsBefore;
  const delayMs = failure === null ? null : retryDelayMs(round, Math.random(), attempt.retryAfterSeconds);
  const hopeless = failure === "gone" || failure === "not-told";
  const state = failure === null ? "delivered" : delayMs === null || hopeless ? "failed" : "pending";
  const nextAttemptAtMs = atMs + (delayMs ?? 0);
  const recorded = await recordAttempt(tx, { delivery, atMs, durationMs, status, failure, state, nextAttemptAtMs });
  if (!recorded) return;
  const failingSince = await noteWebhookHealth(tx, { ...at, failingSinceMs: failure === null ? null : atMs });
  if (failure === "gone") await turnOff(tx, { ...at, reason: "gone", atMs });
  // All of a whole schedule failed, and nothing else arrived in that time: nobody is there.
  const exhausted = state === "failed" && !hopeless && round >= ATTEMPTS_MAX;
  if (exhausted && failingSince !== null && failingSince.getTime() <= atMs - SILENT_MS) {
    await turnOff(tx, { ...at, reason: "failures", atMs });
  }
}

/** Shorter than the shortest way through the schedule, so that a webhook that never answered is off at its end. */
const SILENT_MS = 2.5 * 24 * 3600 * 1000;

async function turnOff(
  tx: Transaction,
  change: { tenant: string; id: string; reason: "failures" | "gone"; atMs: number },
): Promise<void> {
  const { tenant, id, reason, atMs } = change;
  if (!(await disableWebhook(tx, change))) return;
  await appendAudit(tx, {
    ...{ tenant, atMs, actor: SYSTEM, action: "webhook.disable", subject: `webhook:${id}` },
    ...{ outcome: "accepted", details: { reason } },
  });
}
