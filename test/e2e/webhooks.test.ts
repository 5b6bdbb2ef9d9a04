import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { webhookMessageSchema } from "../../src/contract/webhook-views.ts";
import { type Receiver, startReceiver } from "../../src/drivers/notifications/webhook/testing/receiver.ts";
import { type Continuum, startContinuum } from "./testing/continuum.ts";
import { ended, importModel, planOf, submit, trustedKey, until } from "./testing/deployables.ts";

// Messages from real processes to a real receiver: what happens to them when a worker is killed, and what they leave in
// logs and metrics.

let on: Continuum;
let got: Receiver;
/** Until then every message is refused. */
let takes = true;
beforeAll(async () => {
  got = await startReceiver({ answer: (_, response) => void response.writeHead(takes ? 204 : 500).end() });
  on = await startContinuum({
    environment: {
      CONTINUUM_WEBHOOKS_INTERNAL_HOSTS: "127.0.0.1",
      CONTINUUM_WEBHOOKS_PLAIN_HTTP_HOSTS: "127.0.0.1",
      CONTINUUM_WEBHOOKS_LINK_BASE_URL: "https://continuum.example/",
    },
  });
});
afterAll(async () => {
  await on?.clear();
  await got?.close();
});

test("every outcome arrives, verifiable, also when workers are killed on the way", async () => {
  expect(existsSync(join(on.dataDir, "keys", "webhooks.key"))).toBe(false);
  const { id: webhook, secret } = await on.admin.call("webhooks.create", { body: { url: got.url } });
  expect(statSync(join(on.dataDir, "keys", "webhooks.key")).mode & 0o777).toBe(0o600);
  const key = await trustedKey(on.admin);
  const artifact = await importModel(on.admin, { bias: 1 }, key);
  const { id } = await submit(
    on.admin,
    planOf("told", { version: "1.0.0", artifact }, { rollout: { bakeSeconds: 2, deadlineSeconds: 120 } }),
  );
  await until(on.admin, id, ({ phase }) => phase === "Baking");
  for (const name of ["worker-1", "worker-2"]) await on.processes.replace(name);
  expect(await ended(on.admin, id)).toMatchObject({ phase: "Succeeded" });
  const tellings = () => messages(secret).filter(({ data }) => data.rollout === id);
  // They may come in any order: what is sent again after a kill can be later than the end.
  await expect
    .poll(() => new Set(tellings().map(({ type }) => type)), { timeout: 20_000 })
    .toEqual(new Set(["rollout.admitted", "rollout.shifted", "rollout.promoted", "rollout.succeeded"]));
  const told = tellings();
  expect(told.every(({ data }) => data.url === `https://continuum.example/v1/rollouts/${id}`)).toBe(true);
  const { items } = await on.admin.call("webhooks.deliveries", { params: { id: webhook }, query: { limit: 200 } });
  const ids = new Set(got.seen.map(({ headers }) => headers["webhook-id"]));
  expect(new Set(items.map(({ message }) => message))).toEqual(ids);
});

test("what is refused is tried again without anybody's doing, and nothing of it stands in a log", async () => {
  takes = false;
  const { items } = await on.admin.call("webhooks.list", { query: {} });
  const id = items[0]?.id ?? "";
  const { message } = await on.admin.call("webhooks.test", { params: { id } });
  const attempts = async () =>
    (await on.admin.call("webhooks.deliveries", { params: { id }, query: { message } })).items[0]?.attempts ?? [];
  await expect.poll(attempts, { timeout: 10_000 }).toMatchObject([{ status: 500, failure: "status-refused" }]);
  takes = true;
  // The second attempt comes after five seconds, more or less a fifth.
  await expect.poll(async () => (await attempts()).at(-1)?.failure, { timeout: 12_000, interval: 250 }).toBeNull();
  expect(got.seen.filter(({ headers }) => headers["webhook-id"] === message)).toHaveLength(2);
  const log = on.log();
  expect(log).toContain("webhook-attempt-failed");
  expect(log).not.toContain("whsec_");
  expect(log).not.toContain("/hook");
  expect(await on.stop()).toEqual({ code: 0, left: [] });
});

function messages(secret: string) {
  const verifier = new Webhook(secret);
  return got.seen.map(({ body, headers }) => webhookMessageSchema.parse(verifier.verify(body, headers)));
}
