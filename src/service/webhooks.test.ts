import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { webhookMessageSchema } from "../contract/webhook-views.ts";
import {
  type Answering,
  type ReceivedMessage,
  type Receiver,
  startReceiver,
} from "../drivers/notifications/webhook/testing/receiver.ts";
import { deliver } from "../engine/webhook-delivery.ts";
import { dispatchNotifications } from "../engine/webhook-dispatch.ts";
import { WebhookPump } from "../engine/webhook-pump.ts";
import { openDatabase } from "../store/database.ts";
import { claimDeliveries } from "../store/queries/webhook-deliveries.ts";
import { BROKEN, planOf, type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";

const TENANT = "default";
const ARTIFACT = `store:sha256:${"5".repeat(64)}`;
const HOUR_MS = 3600_000;

let on: ServiceFixture;
let pump: WebhookPump;
beforeAll(async () => {
  on = await serviceFixture();
  await on.worker();
});
afterAll(() => on.close());

/** Webhooks of one test are gone with it, so that no other test's events reach them. */
beforeEach(async () => {
  pump = new WebhookPump({ parts: on.workerParts });
  await pump.start();
});
const receivers: Receiver[] = [];
afterEach(async () => {
  await pump.stop();
  await on.database.query("DELETE FROM webhook_endpoints");
  await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
  on.clock.offsetMs = 0;
});

async function receiver(answer?: Answering): Promise<Receiver> {
  const made = await startReceiver(answer === undefined ? {} : { answer });
  receivers.push(made);
  return made;
}
const answering =
  (...statuses: number[]): Answering =>
  (_, response) =>
    void response.writeHead((statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 204).end();

async function create(body: { url: string; events?: string[]; description?: string }) {
  return on.call("webhooks.create", await on.admin(), { body } as never);
}
async function deliveries(id: string, query: Record<string, unknown> = {}) {
  return (await on.call("webhooks.deliveries", await on.admin(), { params: { id }, query } as never)).items;
}
async function deployed(name: string, version = "1.0.0", phases = ["Succeeded"]) {
  const plan = planOf({ artifact: ARTIFACT, target: "simulated", name, version });
  const { id } = await on.call("plans.submit", await on.admin(), { body: { plan } });
  return on.until(id, phases);
}
const typesOf = (got: Receiver) => got.seen.map(({ body }) => JSON.parse(body).type as string);
const idsOf = (got: Receiver) => got.seen.map(({ headers }) => headers["webhook-id"]);
const arrived = (got: Receiver, count: number) =>
  expect.poll(() => got.seen.length, { timeout: 8000, interval: 20 }).toBeGreaterThanOrEqual(count);
/** What waits is due now. */
async function pass(ms: number): Promise<void> {
  on.clock.offsetMs += ms;
  await on.database.query("SELECT pg_notify('webhooks', '')");
}

describe("a webhook", () => {
  test("is told of a whole rollout, once each, in messages that verify and have the promised shape", async () => {
    const got = await receiver();
    const { secret } = await create({ url: got.url });
    const rollout = await deployed("told");
    await arrived(got, 4);
    const told = ["rollout.admitted", "rollout.shifted", "rollout.promoted", "rollout.succeeded"];
    expect(new Set(typesOf(got))).toEqual(new Set(told));
    for (const { headers, body } of got.seen) {
      const message = webhookMessageSchema.parse(new Webhook(secret).verify(body, headers));
      const { planDigest } = rollout;
      const endpoint = { environment: "development", target: "simulated", name: "told" };
      expect(message.data).toMatchObject({
        tenant: TENANT,
        rollout: rollout.id,
        planDigest,
        simulation: true,
        endpoint,
      });
      expect(body).not.toContain("admin");
    }
    await sleep(300);
    expect(new Set(idsOf(got)).size).toBe(got.seen.length);
  });

  test("is told only of what it asked for, and nobody else's", async () => {
    await on.database.query("INSERT INTO tenants (tenant) VALUES ('other') ON CONFLICT DO NOTHING");
    const got = await receiver();
    const { id } = await create({ url: got.url, events: ["rollout.succeeded"] });
    await on.database.query(
      `INSERT INTO webhook_endpoints SELECT 'other', 'wh_other', url, '', '{}', true, NULL, NULL, 0, secret, NULL, NULL,
         NULL, 'x', now(), now() FROM webhook_endpoints WHERE id = $1`,
      [id],
    );
    await on.database.query("INSERT INTO webhook_cursors VALUES ('other', 0) ON CONFLICT DO NOTHING");
    await deployed("chosen");
    await arrived(got, 1);
    await dispatchNotifications(on.workerParts, "other");
    expect(typesOf(got)).toEqual(["rollout.succeeded"]);
    const { rowCount } = await on.database.query("SELECT FROM webhook_deliveries WHERE tenant = 'other'");
    expect(rowCount).toBe(0);
  });

  test("has a secret that is shown once and lies sealed", async () => {
    const got = await receiver();
    const made = await create({ url: got.url, description: "chat" });
    const bytes = Buffer.from(made.secret.replace("whsec_", ""), "base64");
    expect([made.secret.slice(0, 6), bytes.length]).toEqual(["whsec_", 32]);
    const admin = await on.admin();
    const shown = JSON.stringify([
      await on.call("webhooks.list", admin),
      await on.call("webhooks.get", admin, { params: { id: made.id } }),
      await on.call("audit.list", admin, { query: { subject: made.id, limit: 200 } }),
    ]);
    expect(shown).toContain("chat");
    expect(shown).not.toContain("whsec_");
    // The audit log holds neither the address nor the secret.
    expect(JSON.stringify(await on.call("audit.list", admin, { query: { limit: 200 } }))).not.toContain(got.url);
    const { rows } = await on.database.query<{ secret: Buffer }>("SELECT secret FROM webhook_endpoints");
    expect(rows[0]?.secret.includes(bytes)).toBe(false);
  });

  test("that is made again with the same key does not show its secret again", async () => {
    const got = await receiver();
    const admin = await on.admin();
    const input = { body: { url: got.url } } as never;
    await on.call("webhooks.create", admin, input, { idempotencyKey: "once" });
    await expect(on.call("webhooks.create", admin, input, { idempotencyKey: "once" })).rejects.toMatchObject({
      code: "idempotency-conflict",
    });
    const { rows } = await on.database.query<{ response: unknown }>("SELECT response FROM idempotency_keys");
    expect(JSON.stringify(rows)).not.toContain("whsec_");
  });

  test("does not go inside the network, when made or when changed", async () => {
    const got = await receiver();
    const { id } = await create({ url: got.url });
    for (const url of ["https://10.0.0.1/", "https://localhost/", "http://example.com/", "https://167772161/", "x"]) {
      await expect(create({ url })).rejects.toMatchObject({ code: "malformed-request", details: { pointer: "/url" } });
      const input = { params: { id }, body: { url } };
      await expect(on.call("webhooks.update", await on.admin(), input)).rejects.toMatchObject({
        code: "malformed-request",
      });
    }
  });

  test("can be tried", async () => {
    const got = await receiver();
    const other = await receiver();
    const { id } = await create({ url: got.url, events: ["rollout.failed"] });
    await create({ url: other.url });
    const { message, state } = await on.call("webhooks.test", await on.admin(), { params: { id } });
    expect(["pending", "delivered"]).toContain(state);
    await arrived(got, 1);
    expect([idsOf(got), typesOf(got), other.seen.length]).toEqual([[message], ["webhook.test"], 0]);
    await expect
      .poll(() => deliveries(id, { message }))
      .toMatchObject([
        { state: "delivered", attempts: [{ attempt: 1, status: 204, failure: null }], nextAttemptAt: null },
      ]);
  });

  test("is one of at most fifty", async () => {
    const got = await receiver();
    for (let made = 0; made < 50; made += 1) await create({ url: got.url, events: ["rollout.failed"] });
    await expect(create({ url: got.url })).rejects.toMatchObject({ code: "not-acceptable-now" });
    const first = await on.call("webhooks.list", await on.admin(), { query: { limit: 30 } });
    const query = { limit: 30, cursor: first.nextCursor ?? "" };
    const second = await on.call("webhooks.list", await on.admin(), { query });
    expect([first.items.length, second.items.length, second.nextCursor]).toEqual([30, 20, null]);
  });
});

describe("a message that does not arrive", () => {
  test("is tried again later, under the same id, and every attempt stands in the log", async () => {
    const got = await receiver(answering(500, 429, 204));
    const { id } = await create({ url: got.url, events: ["rollout.succeeded"] });
    await deployed("again");
    await arrived(got, 1);
    await expect.poll(() => deliveries(id)).toMatchObject([{ state: "pending", attempts: [{ status: 500 }] }]);
    expect((await on.call("webhooks.get", await on.admin(), { params: { id } })).failingSince).not.toBeNull();
    await sleep(100);
    expect(got.seen).toHaveLength(1);
    await pass(10_000);
    await arrived(got, 2);
    await expect.poll(async () => (await deliveries(id))[0]?.attempts.length).toBe(2);
    await pass(HOUR_MS);
    await arrived(got, 3);
    await expect
      .poll(() => deliveries(id))
      .toMatchObject([
        {
          state: "delivered",
          attempts: [
            { attempt: 1, status: 500, failure: "status-refused" },
            { attempt: 2, status: 429, failure: "status-refused" },
            { attempt: 3, status: 204, failure: null },
          ],
        },
      ]);
    expect(new Set(idsOf(got)).size).toBe(1);
    expect((await on.call("webhooks.get", await on.admin(), { params: { id } })).failingSince).toBeNull();
  });

  test("is sent again when its sender died before it could say so, and a late word of the dead counts for nothing", async () => {
    await pump.stop();
    const got = await receiver();
    const { id } = await create({ url: got.url, events: ["rollout.succeeded"] });
    await deployed("crash");
    await dispatchNotifications(on.workerParts, TENANT);
    const claim = { leaseMs: 45_000, limit: 8, perWebhook: 4, busy: [] };
    const [dead] = await claimDeliveries(on.database, { ...claim, nowMs: on.workerParts.nowMs() });
    if (dead === undefined) throw new Error("nothing was claimed");
    // What it claimed is nobody else's while it may live.
    expect(await claimDeliveries(on.database, { ...claim, nowMs: on.workerParts.nowMs() })).toEqual([]);
    const { notifications } = on.workerParts.webhooks;
    const sent = { url: got.url, id: dead.message, atMs: Date.now(), body: "{}", secrets: [Buffer.alloc(32)] };
    await notifications.send(sent);
    on.clock.offsetMs += 60_000;
    pump = new WebhookPump({ parts: on.workerParts });
    await pump.start();
    await arrived(got, 2);
    expect(new Set(idsOf(got))).toEqual(new Set([dead.message]));
    await expect.poll(async () => (await deliveries(id))[0]?.state).toBe("delivered");
    const refusing = { ...notifications, send: async () => FAILED };
    expect(
      await deliver({ ...on.workerParts, webhooks: { ...on.workerParts.webhooks, notifications: refusing } }, dead),
    ).toBe("timed-out");
    expect(await deliveries(id)).toMatchObject([{ state: "delivered", attempts: [{ attempt: 2, failure: null }] }]);
  });
  const FAILED = { failure: "timed-out", status: null, durationMs: 1, retryAfterSeconds: 0 } as const;

  test("turns the webhook off at once when the receiver is gone, and tells the others", async () => {
    const gone = await receiver(answering(410));
    const other = await receiver();
    const { id } = await create({ url: gone.url, events: ["rollout.succeeded"] });
    await create({ url: other.url, events: ["webhook.disabled"] });
    await deployed("gone");
    await arrived(gone, 1);
    const shown = async () => on.call("webhooks.get", await on.admin(), { params: { id } });
    await expect.poll(shown).toMatchObject({ enabled: false, disabledReason: "gone" });
    await pass(0);
    await arrived(other, 1);
    expect(JSON.parse(other.seen[0]?.body ?? "")).toMatchObject({
      ...{ type: "webhook.disabled", data: { webhook: id, reason: "gone" } },
    });
    const { items } = await on.call("audit.list", await on.admin(), { query: { subject: id, limit: 200 } });
    expect(items.at(-1)).toMatchObject({ action: "webhook.disable", actor: "system", details: { reason: "gone" } });
    await deployed("gone", "2.0.0");
    await pass(HOUR_MS);
    await sleep(200);
    expect(gone.seen).toHaveLength(1);
  });

  test("turns the webhook off when all of a schedule of days failed", async () => {
    const got = await receiver(answering(503));
    const { id } = await create({ url: got.url, events: ["rollout.succeeded"] });
    await deployed("days");
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      await expect.poll(async () => (await deliveries(id))[0]?.attempts.length, { timeout: 8000 }).toBe(attempt);
      await pass(30 * HOUR_MS);
    }
    expect(await deliveries(id)).toMatchObject([{ state: "failed", nextAttemptAt: null }]);
    const shown = await on.call("webhooks.get", await on.admin(), { params: { id } });
    expect(shown).toMatchObject({ enabled: false, disabledReason: "failures" });
    expect(got.seen).toHaveLength(10);
  });

  test("keeps none of the others waiting", async () => {
    const slow = await receiver(() => undefined);
    const quick = await receiver();
    await create({ url: slow.url });
    await create({ url: quick.url });
    await deployed("slow-1");
    await deployed("slow-2");
    await arrived(quick, 8);
    expect(slow.seen.length).toBeLessThanOrEqual(4);
  });
});

describe("a secret that is replaced", () => {
  test("signs beside the new one until receivers have changed over", async () => {
    const got = await receiver();
    const old = await create({ url: got.url });
    const admin = await on.admin();
    const params = { id: old.id };
    const rotated = await on.call("webhooks.rotate", admin, { params, body: { overlapSeconds: 3600 } });
    expect(rotated.secret).not.toBe(old.secret);
    const verifies = (secret: string) => {
      const { headers = {}, body = "" }: Partial<ReceivedMessage> = got.seen.at(-1) ?? {};
      try {
        return Boolean(new Webhook(secret).verify(body, headers));
      } catch (error) {
        return (error as Error).message;
      }
    };
    await on.call("webhooks.test", admin, { params });
    await arrived(got, 1);
    expect([verifies(old.secret), verifies(rotated.secret)]).toEqual([true, true]);
    const last = await on.call("webhooks.rotate", admin, { params, body: { overlapSeconds: 0 } });
    await on.call("webhooks.test", admin, { params });
    await arrived(got, 2);
    expect([old, rotated, last].map(({ secret }) => verifies(secret) === true)).toEqual([false, false, true]);
  });

  test("under another sealing key is a failure that says so, and is tried again", async () => {
    const got = await receiver();
    await pump.stop();
    const webhooks = { ...on.workerParts.webhooks, sealingKey: async () => Buffer.alloc(32, 9) };
    pump = new WebhookPump({ parts: { ...on.workerParts, webhooks } });
    await pump.start();
    const { id } = await create({ url: got.url });
    await on.call("webhooks.test", await on.admin(), { params: { id } });
    await expect
      .poll(() => deliveries(id))
      .toMatchObject([{ state: "pending", attempts: [{ failure: "secret-unreadable", status: null }] }]);
    expect(got.seen).toEqual([]);
  });
});

describe("a replay", () => {
  test("sends one message again, under its id", async () => {
    const got = await receiver();
    const { id } = await create({ url: got.url, events: ["rollout.succeeded"] });
    await deployed("one");
    await arrived(got, 1);
    await expect.poll(async () => (await deliveries(id))[0]?.state).toBe("delivered");
    const body = { message: idsOf(got)[0] ?? "" };
    const admin = await on.admin();
    expect(await on.call("webhooks.replay", admin, { params: { id }, body })).toEqual({ count: 1, nextSince: null });
    await arrived(got, 2);
    expect(new Set(idsOf(got)).size).toBe(1);
    expect(got.seen[0]?.body).toBe(got.seen[1]?.body);
    await expect(
      on.call("webhooks.replay", admin, { params: { id }, body: { message: "msg_unknown" } }),
    ).rejects.toMatchObject({ code: "not-found" });
  });

  test("since a time holds what happened while the webhook was off, and nothing from before", async () => {
    const got = await receiver();
    const admin = await on.admin();
    const { id } = await create({ url: got.url, events: ["rollout.succeeded"] });
    const params = { id };
    await deployed("before");
    await arrived(got, 1);
    expect(await on.call("webhooks.update", admin, { params, body: { enabled: false } })).toMatchObject({
      ...{ enabled: false, disabledReason: "operator" },
    });
    await sleep(20);
    const since = new Date(on.workerParts.nowMs()).toISOString();
    const missed = await deployed("while-off");
    await expect(on.call("webhooks.replay", admin, { params, body: { since } })).rejects.toMatchObject({
      code: "not-acceptable-now",
    });
    await on.call("webhooks.update", admin, { params, body: { enabled: true } });
    await sleep(300);
    expect(got.seen).toHaveLength(1);
    expect(await on.call("webhooks.replay", admin, { params, body: { since } })).toEqual({ count: 1, nextSince: null });
    await arrived(got, 2);
    expect(JSON.parse(got.seen[1]?.body ?? "").data.rollout).toBe(missed.id);
  });
});

test("a breaker that opens is told once", async () => {
  const got = await receiver();
  await create({ url: got.url, events: ["breaker.opened", "rollout.rolled-back", "breaker.reset"] });
  await on.database.query(`UPDATE tenants SET settings = '{"breaker":{"failures":2}}' WHERE tenant = $1`, [TENANT]);
  on.behaviour.set("9.0.0", BROKEN);
  await deployed("fragile");
  for (const _ of [1, 2]) await deployed("fragile", "9.0.0", ["RolledBack"]);
  await arrived(got, 3);
  const params = { environment: "development", target: "simulated", name: "fragile" } as const;
  await on.call("breakers.reset", await on.admin(), { params, body: {} });
  await pass(0);
  await arrived(got, 4);
  expect(typesOf(got).toSorted()).toEqual([
    ...["breaker.opened", "breaker.reset", "rollout.rolled-back", "rollout.rolled-back"],
  ]);
  await on.database.query("UPDATE tenants SET settings = '{}' WHERE tenant = $1", [TENANT]);
});

test("where nobody has a webhook, nothing is asked of the database while rollouts run", async () => {
  const database = await openDatabase(on.url, { max: 2 });
  const idle = new WebhookPump({ parts: { ...on.workerParts, database }, netMs: 50 });
  try {
    await idle.start();
    await sleep(200);
    const asked = [vi.spyOn(database, "query"), vi.spyOn(database, "transaction")];
    await deployed("unheard");
    await sleep(300);
    expect(asked.map(({ mock }) => mock.calls.length)).toEqual([0, 0]);
    // And it hears of the first one at once.
    const got = await receiver();
    await pump.stop();
    await create({ url: got.url, events: ["rollout.succeeded"] });
    await deployed("heard");
    await arrived(got, 1);
  } finally {
    await idle.stop();
    await database.close();
  }
});

test("two workers beside one another send each message once", async () => {
  const second = new WebhookPump({ parts: on.workerParts });
  await second.start();
  try {
    const got = await receiver();
    const { id } = await create({ url: got.url });
    await Promise.all(["pair-1", "pair-2", "pair-3"].map((name) => deployed(name)));
    await expect.poll(() => typesOf(got).filter((type) => type === "rollout.succeeded").length).toBe(3);
    await sleep(300);
    const made = (await deliveries(id)).map(({ message }) => message);
    expect(made.length).toBeGreaterThanOrEqual(12);
    expect(idsOf(got).toSorted()).toEqual(made.toSorted());
  } finally {
    await second.stop();
  }
});
