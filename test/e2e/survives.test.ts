import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Traffic } from "../../src/quickstart/traffic.ts";
import type { ApiClient } from "../../src/surfaces/cli/client.ts";
import { type Continuum, startContinuum } from "./testing/continuum.ts";
import {
  deploy,
  ended,
  importModel,
  invocable,
  planOf,
  rollout,
  submit,
  trustedKey,
  until,
} from "./testing/deployables.ts";

// One installation under continuous traffic, whose processes are killed and frozen by the system while it deploys.
// The tests follow each other: each goes on from where the one before left it.

let on: Continuum;
let agent: ApiClient;
let traffic: Traffic;
let url: string;
const artifacts: string[] = [];

beforeAll(async () => {
  on = await startContinuum();
  const key = await trustedKey(on.admin);
  for (const bias of [1, 2, 3]) artifacts.push(await importModel(on.admin, { bias }, key));
  agent = await on.as({ principal: "release-agent", kind: "agent", owner: "admin", roles: ["proposer", "operator"] });
  expect(await deploy(agent, canary(1, { bakeSeconds: 0 }))).toMatchObject({ phase: "Succeeded" });
  url = await invocable(on, "survivor");
  traffic = new Traffic({ url, token: on.invokeToken, bodies: ["1,2,3\n"], connections: 4, ratePerSecond: 200 });
});
afterAll(async () => {
  await traffic?.stop();
  await on?.clear();
});

function canary(version: 1 | 2 | 3, { bakeSeconds }: { bakeSeconds: number }) {
  const model = { version: `${version}.0.0`, artifact: artifacts[version - 1] ?? "" };
  return planOf("survivor", model, { rollout: { stepPercent: 50, bakeSeconds, deadlineSeconds: 590 } });
}

/** No event is missing, none came twice, and every effect was done once. */
async function expectWhole(id: string): Promise<void> {
  const events: { sequence: number; type: string }[] = [];
  for await (const event of on.admin.events(id, { after: 0 })) events.push(event);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  const types = events.map(({ type }) => type);
  for (const once of ["provisioned", "promoted"]) expect(types.filter((type) => type === once)).toEqual([once]);
  expect(await on.admin.call("audit.verify", {})).toMatchObject({ ok: true, problem: null });
}

test("a canary goes on when workers, the API, a replica and the database are killed, and no request fails", async () => {
  const { id } = await submit(agent, canary(2, { bakeSeconds: 300 }));
  await until(on.admin, id, ({ phase }) => phase === "Baking");

  await on.processes.replace("worker-1");
  const frozen = on.processes.pidOf("worker-2");
  process.kill(frozen, "SIGSTOP");
  const frozenAtMs = Date.now();
  for (const pid of on.processes.replicas("1.0.0")) process.kill(pid, "SIGKILL");
  await on.processes.replace("api");
  await expect.poll(() => on.log().match(/"worker-reaped"/g)?.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(2);
  expect(Date.now() - frozenAtMs).toBeLessThan(12_000);
  process.kill(frozen, "SIGCONT");
  // The bake is long so that all this falls into it; a person ends it.
  expect(await rollout(on.admin, id)).toMatchObject({ phase: "Baking", weightPercent: 50 });
  await on.admin.call("rollouts.promote", { params: { id }, body: {} });
  await until(on.admin, id, ({ phase, weightPercent }) => phase === "Baking" && weightPercent === 100);

  await on.processes.replace("postgresql");
  await expect
    .poll(() => on.admin.call("rollouts.promote", { params: { id }, body: {} }).catch(() => undefined), {
      timeout: 15_000,
    })
    .toBeDefined();
  expect(await ended(on.admin, id)).toMatchObject({ phase: "Succeeded", reason: null });
  await expectWhole(id);
  const { requests, failed, byVersion } = traffic.summary();
  expect({ failed, both: byVersion.size }).toEqual({ failed: 0, both: 2 });
  expect(requests).toBeGreaterThan(500);
}, 90_000);

test("the serving process is killed in a canary: replicas are adopted, the gap is short, the verdict still comes", async () => {
  const { id } = await submit(agent, canary(3, { bakeSeconds: 3 }));
  await until(on.admin, id, ({ phase }) => phase === "Baking");
  const replicas = on.processes.replicas().toSorted();
  expect(replicas).toHaveLength(2);
  const killedAtMs = Date.now();
  await on.processes.replace("serve");
  const goneMs = Date.now() - killedAtMs;
  expect(on.processes.replicas().toSorted()).toEqual(replicas);
  expect(await ended(on.admin, id)).toMatchObject({ phase: "Succeeded", reason: null });
  await expectWhole(id);

  const failed = traffic.answers.filter(({ status }) => status !== 200);
  const times = failed.map(({ atMs }) => atMs - killedAtMs);
  // The supervisor holds the socket, so who asked in between waited. What was in flight on the 4 connections failed.
  expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...times)).toBeLessThan(goneMs + 500);
  expect(failed.length).toBeLessThanOrEqual(8);
  expect(goneMs).toBeLessThan(15_000);
  console.log(`the serving process was back after ${goneMs} ms; ${failed.length} requests failed in between`);
}, 60_000);

test("the stop is in order and leaves no process and no socket behind", async () => {
  await traffic.stop();
  expect(await on.stop()).toEqual({ code: 0, left: [] });
  if (process.platform !== "linux") return;
  expect(readFileSync("/proc/net/unix", "utf8")).not.toContain(on.folder);
});
