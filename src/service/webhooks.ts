import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { OperationName, OperationOutput } from "../contract/operations.ts";
import { appendAudit, sequenceAudit, textDigest } from "../engine/audit-log.ts";
import { dispatchNotifications, replaySince } from "../engine/webhook-dispatch.ts";
import { newWebhookSecret, sealSecret, shownSecret } from "../engine/webhook-secret.ts";
import type { Transaction } from "../store/database.ts";
import {
  type AttemptRow,
  attemptsOf,
  beginDeliveryAgain,
  type DeliveryRow,
  listDeliveries,
  readDelivery,
} from "../store/queries/webhook-deliveries.ts";
import {
  countWebhooks,
  deleteWebhook,
  insertWebhook,
  listWebhooks,
  lockWebhooks,
  readWebhook,
  rotateWebhookSecret,
  updateWebhook,
  type WebhookRow,
} from "../store/queries/webhooks.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import { optionalTime, timeOf } from "./rollout-view.ts";

type Name = Extract<OperationName, `webhooks.${string}`>;
type WebhookView = OperationOutput<"webhooks.get">;
type DeliveryView = OperationOutput<"webhooks.test">;

/** Each is looked at for every event of the tenant. */
const WEBHOOKS_MAX = 50;
const OVERLAP_SECONDS = 24 * 3600;

/** Who is told of what happens, where, and how that went. */
export function webhookHandlers(parts: ServiceParts): Handlers<Name> {
  return {
    "webhooks.create": (call) => create(parts, call),
    "webhooks.list": ({ principal, input }) => list(parts, principal.tenant, input.query),
    "webhooks.get": async ({ principal, input }) => view(await find(parts, principal.tenant, input.params.id)),
    "webhooks.update": (call) => update(parts, call),
    "webhooks.delete": async (call) => {
      await changed(parts, call, "webhook.delete", (tx, at) => deleteWebhook(tx, at));
      return { deleted: true };
    },
    "webhooks.rotate": (call) => rotate(parts, call),
    "webhooks.test": (call) => sendTest(parts, call),
    "webhooks.deliveries": (call) => deliveries(parts, call),
    "webhooks.replay": (call) => replay(parts, call),
  };
}

async function create(
  parts: ServiceParts,
  { principal, actor, input }: Call<"webhooks.create">,
): Promise<OperationOutput<"webhooks.create">> {
  const { tenant } = principal;
  const { description = "", events = [] } = input.body;
  const url = await checkedUrl(parts, input.body.url);
  const id = `wh_${randomBytes(10).toString("hex")}`;
  const secret = newWebhookSecret();
  const sealed = sealSecret(await parts.webhooks.sealingKey(), { tenant, webhook: id }, secret);
  // What was before is none of its business: it begins behind the last entry that has its place.
  await sequenceAudit(parts.database, tenant);
  const atMs = parts.nowMs();
  const row = await parts.database.transaction(async (tx) => {
    await lockWebhooks(tx, tenant);
    if ((await countWebhooks(tx, tenant)) >= WEBHOOKS_MAX)
      refuse("not-acceptable-now", `A tenant has at most ${WEBHOOKS_MAX} webhooks; delete one first.`);
    await insertWebhook(tx, { tenant, id, url, description, events, secret: sealed, createdBy: principal.id, atMs });
    const subject = `webhook:${id}`;
    const details = textDigest(url);
    await appendAudit(tx, { tenant, atMs, actor, action: "webhook.create", subject, outcome: "accepted", details });
    return readWebhook(tx, { tenant, id });
  });
  return row === undefined ? notFound("webhook") : { ...view(row), secret: shownSecret(secret) };
}

/** The sentence says what is allowed and nothing of what was found: an address must not be probed through this. */
async function checkedUrl(parts: ServiceParts, url: string): Promise<string> {
  const checked = await parts.webhooks.notifications.checkAddress(url);
  if (checked.ok) return checked.value.url;
  const { path, message } = checked.problem;
  return refuse("malformed-request", `The webhook's address ${message}.`, { pointer: path });
}

const afterId = z.tuple([z.string()]);

async function list(
  parts: ServiceParts,
  tenant: string,
  query: Call<"webhooks.list">["input"]["query"],
): Promise<OperationOutput<"webhooks.list">> {
  const { cursor, limit = PAGE_LIMIT } = query;
  const after = decodeCursor("webhooks.list", cursor, afterId)?.[0];
  const rows = await listWebhooks(parts.database, {
    ...{ tenant, limit: limit + 1 },
    ...(after === undefined ? {} : { after }),
  });
  return toPage(rows, { list: "webhooks.list", limit, keyOf: (row) => [row.id], view });
}

async function update(parts: ServiceParts, call: Call<"webhooks.update">): Promise<WebhookView> {
  const { url, ...rest } = call.input.body;
  const checked = url === undefined ? undefined : await checkedUrl(parts, url);
  if (rest.enabled === true) await sequenceAudit(parts.database, call.principal.tenant);
  const atMs = parts.nowMs();
  const row = await changed(parts, call, "webhook.update", async (tx, at) =>
    (await updateWebhook(tx, { ...at, ...rest, url: checked, atMs })) ? readWebhook(tx, at) : undefined,
  );
  return view(row);
}

async function rotate(parts: ServiceParts, call: Call<"webhooks.rotate">): Promise<OperationOutput<"webhooks.rotate">> {
  const secret = newWebhookSecret();
  const key = await parts.webhooks.sealingKey();
  const atMs = parts.nowMs();
  const { overlapSeconds = OVERLAP_SECONDS } = call.input.body;
  const previousUntilMs = overlapSeconds === 0 ? null : atMs + overlapSeconds * 1000;
  const row = await changed(parts, call, "webhook.rotate", async (tx, at) => {
    const sealed = sealSecret(key, { tenant: at.tenant, webhook: at.id }, secret);
    await rotateWebhookSecret(tx, { ...at, secret: sealed, previousUntilMs, atMs });
    return readWebhook(tx, at);
  });
  return { ...view(row), secret: shownSecret(secret) };
}

/** A test goes the way of everything else: an entry of the audit log, a delivery, a worker. */
async function sendTest(parts: ServiceParts, call: Call<"webhooks.test">): Promise<DeliveryView> {
  const { tenant } = call.principal;
  const webhook = await find(parts, tenant, call.input.params.id);
  if (!webhook.enabled) refuse("not-acceptable-now", "The webhook is off; turn it on first: webhook update --enable.");
  const since = (await newest(parts, webhook))?.id ?? 0;
  await changed(parts, call, "webhook.test", async () => true);
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    await dispatchNotifications(parts, tenant);
    const made = await listDeliveries(parts.database, { tenant, webhook: webhook.id, limit: 20 });
    const test = made.find(({ id, type }) => id > since && type === "webhook.test");
    if (test !== undefined) {
      await wakeWorkers(parts, tenant);
      return deliveryView(test, await attemptsOf(parts.database, tenant, [test.id]));
    }
    // A worker is at the cursor, and makes it in a moment.
    await sleep(100);
  }
  return refuse("unavailable", "The message is on its way but not among the deliveries yet: see webhook deliveries.");
}
const LOOKS_MAX = 30;

async function newest(parts: ServiceParts, { tenant, id }: WebhookRow): Promise<DeliveryRow | undefined> {
  return (await listDeliveries(parts.database, { tenant, webhook: id, limit: 1 }))[0];
}

const beforeId = z.tuple([z.number()]);

async function deliveries(
  parts: ServiceParts,
  { principal, input }: Call<"webhooks.deliveries">,
): Promise<OperationOutput<"webhooks.deliveries">> {
  const { tenant } = principal;
  const { cursor, limit = PAGE_LIMIT, state, message } = input.query;
  const webhook = (await find(parts, tenant, input.params.id)).id;
  const before = decodeCursor("webhooks.deliveries", cursor, beforeId)?.[0];
  const rows = await listDeliveries(parts.database, {
    ...{ tenant, webhook, limit: limit + 1 },
    ...(state === undefined ? {} : { state }),
    ...(message === undefined ? {} : { message }),
    ...(before === undefined ? {} : { before }),
  });
  const attempts = await attemptsOf(
    parts.database,
    tenant,
    rows.map(({ id }) => id),
  );
  const show = (row: DeliveryRow) =>
    deliveryView(
      row,
      attempts.filter(({ delivery }) => delivery === row.id),
    );
  return toPage(rows, { list: "webhooks.deliveries", limit, keyOf: (row) => [row.id], view: show });
}

async function replay(parts: ServiceParts, call: Call<"webhooks.replay">): Promise<OperationOutput<"webhooks.replay">> {
  const { tenant } = call.principal;
  const { body } = call.input;
  const webhook = await find(parts, tenant, call.input.params.id);
  if (!webhook.enabled) refuse("not-acceptable-now", "The webhook is off; turn it on first: webhook update --enable.");
  const at = { tenant, webhook: webhook.id };
  const tell = (count: number) => changed(parts, call, "webhook.replay", async () => true, { count });
  if ("message" in body) {
    const delivery = await readDelivery(parts.database, { ...at, message: body.message });
    if (delivery === undefined) return notFound("delivery");
    const count = (await beginDeliveryAgain(parts.database, delivery, parts.nowMs())) ? 1 : 0;
    await tell(count);
    await wakeWorkers(parts, tenant);
    return { count, nextSince: null };
  }
  const { count, nextSinceMs } = await replaySince(parts, { ...at, sinceMs: Date.parse(body.since) });
  await tell(count);
  await wakeWorkers(parts, tenant);
  return { count, nextSince: optionalTime(nextSinceMs) };
}

async function wakeWorkers(parts: ServiceParts, tenant: string): Promise<void> {
  await parts.database.query("SELECT pg_notify('webhooks', $1)", [tenant]);
}

async function find(parts: ServiceParts, tenant: string, id: string): Promise<WebhookRow> {
  return (await readWebhook(parts.database, { tenant, id })) ?? notFound("webhook");
}

type ById = "webhooks.update" | "webhooks.delete" | "webhooks.rotate" | "webhooks.test" | "webhooks.replay";

/** A change and its audit entry, together; what `change` does not find is not there. */
async function changed<N extends ById, Row>(
  parts: ServiceParts,
  { principal, actor, input }: Call<N>,
  action: string,
  change: (tx: Transaction, at: { tenant: string; id: string }) => Promise<Row | undefined | false>,
  details: { count?: number } = {},
): Promise<Row> {
  const at = { tenant: principal.tenant, id: (input.params as { id: string }).id };
  return parts.database.transaction(async (tx) => {
    if ((await readWebhook(tx, at)) === undefined) return notFound("webhook");
    const row = await change(tx, at);
    if (row === undefined || row === false) return notFound("webhook");
    await appendAudit(tx, {
      ...{ tenant: at.tenant, atMs: parts.nowMs(), actor, action, subject: `webhook:${at.id}` },
      ...{ outcome: "accepted", details },
    });
    return row;
  });
}

function view(row: WebhookRow): WebhookView {
  const { id, url, description, events, enabled, disabledReason, createdBy } = row;
  return {
    ...{ id, url, description, events, enabled, disabledReason, createdBy },
    disabledAt: optionalDate(row.disabledAt),
    failingSince: optionalDate(row.failingSince),
    previousSecretUntil: optionalDate(row.previousUntil),
    createdAt: timeOf(row.createdAt.getTime()),
    updatedAt: timeOf(row.updatedAt.getTime()),
  };
}

function deliveryView(row: DeliveryRow, attempts: readonly AttemptRow[]): DeliveryView {
  const { message, webhook, type, state } = row;
  return {
    ...{ message, webhook, type, state },
    attempts: attempts.map(({ attempt, at, durationMs, status, failure }) => ({
      ...{ attempt, at: timeOf(at.getTime()), durationMs, status, failure },
    })),
    nextAttemptAt: state === "pending" ? timeOf(row.nextAttemptAt.getTime()) : null,
    createdAt: timeOf(row.createdAt.getTime()),
    endedAt: optionalDate(row.endedAt),
  };
}

function optionalDate(date: Date | null): string | null {
  return optionalTime(date?.getTime() ?? null);
}
