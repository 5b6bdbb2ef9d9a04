import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, Traffic } from "../../src/quickstart/traffic.ts";
import { slowModel } from "../../src/serving/testing/test-models.ts";
import { inspectEmbedded } from "../../src/store/embedded/inspect.ts";
import { type ApiClient, createApiClient } from "../../src/surfaces/cli/client.ts";
import { type Continuum, startContinuum } from "./testing/continuum.ts";
import { deploy, ended, importModel, invocable, planOf, submit, trustedKey, until } from "./testing/deployables.ts";
import { doctorOf, fillerOf, run, shiftedClock, smallDisk, takenPort } from "./testing/trial.ts";

// What a running installation lacks, with real processes: it says so, what serves goes on, and it recovers by itself.
// The tests follow each other: each goes on from where the one before left it.

const MIB = 1024 * 1024;
let folder: string;
let disk: ReturnType<typeof smallDisk>;
let parent: string;
let on: Continuum;
let agent: ApiClient;
let traffic: Traffic;
let url: string;
const artifacts: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "continuum-lacks-"));
  chmodSync(folder, 0o711); // PostgreSQL may run as another user and has to walk through
  disk = smallDisk(join(folder, "disk"), "size=192m,mode=755");
  parent = disk === undefined ? folder : join(folder, "disk");
  on = await startContinuum({ parent, environment: { CONTINUUM_WORKER_COUNT: "1" } });
  const key = await trustedKey(on.admin);
  for (const bias of [1, 2]) artifacts.push(await importModel(on.admin, { bias }, key));
  artifacts.push(await importModel(on.admin, { bytes: slowModel({ layers: 0 }) }, key));
  agent = await on.as({ principal: "release-agent", kind: "agent", owner: "admin", roles: ["proposer", "operator"] });
  expect(await deploy(agent, plan(1))).toMatchObject({ phase: "Succeeded" });
  url = await invocable(on, "lacking");
  traffic = trafficTo(url);
}, 60_000);
afterAll(async () => {
  await traffic?.stop();
  await on?.clear();
  disk?.remove();
  rmSync(folder, { recursive: true, force: true });
});

function plan(version: 1 | 2 | 3, bakeSeconds = 0) {
  const model = { version: `${version}.0.0`, artifact: artifacts[version - 1] ?? "" };
  return planOf("lacking", model, { rollout: { stepPercent: bakeSeconds === 0 ? 100 : 50, bakeSeconds } });
}

function trafficTo(to: string): Traffic {
  return new Traffic({ url: to, token: on.invokeToken, bodies: ["1,2,3\n"], connections: 2, ratePerSecond: 100 });
}

/** The problem code that a request ends with; `none` when it ends well. */
async function problem(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "none",
    (error: { details?: { problem?: string }; message?: string }) => error.details?.problem ?? String(error.message),
  );
}

test("another start on the same data folder ends, and the one that runs goes on", async () => {
  const { code, err } = await run(["start", "--data-dir", on.dataDir], { folder });
  expect({ code, err }).toEqual({
    code: 1,
    err: expect.stringMatching(/^continuum: .*already running in .* \(process \d+\).*\(already-running\)\n$/),
  });
  expect(await problem(on.admin.call("rollouts.list", { query: {} }))).toBe("none");
});

test("a replica that takes more memory than its size allows is ended and told of, and the canary rolls back", async () => {
  const { id } = await submit(agent, plan(3, 30));
  await until(on.admin, id, ({ phase }) => phase === "Baking");
  const rows = "1,2,3\n".repeat(300_000); // of which this model keeps 2 KiB each
  let last = await on.admin.call("rollouts.get", { params: { id } });
  for (const endMs = Date.now() + 25_000; !last.terminal && Date.now() < endMs; ) {
    await ask({ url, token: on.invokeToken, body: rows }).catch(() => undefined);
    last = await on.admin.call("rollouts.get", { params: { id } });
  }
  expect(await ended(on.admin, id)).toMatchObject({ phase: "RolledBack", reason: { code: "verdict" } });
  expect(on.log()).toMatch(/"how":"using \d+ MiB of the 512 MiB its size allows","msg":"replica died"/);
  expect((await ask({ url, token: on.invokeToken, body: "1,2,3\n" })).version).toBe("1.0.0");
}, 60_000);

test("a database with no connection left is told of, and works again when there is one", async () => {
  const database = await inspectEmbedded(on.dataDir);
  const connectionString = database?.running?.url ?? "";
  const others: pg.Client[] = [];
  const takeAll = async () => {
    for (;;) {
      const other = new pg.Client({ connectionString });
      other.on("error", () => undefined);
      const refused = await other.connect().then(
        () => undefined,
        (error: { code?: string }) => error.code,
      );
      if (refused !== undefined) return refused;
      others.push(other);
    }
  };
  expect(await takeAll()).toBe("53300");
  // Those that the API and the worker hold are taken as well.
  await others[0]?.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'continuum-%'",
  );
  await takeAll();
  const sinceMs = Date.now();
  await expect
    .poll(() => problem(on.admin.call("rollouts.list", { query: {} })), { timeout: 5000 })
    .toBe("unavailable");
  const said = (await doctorOf(on.dataDir, { folder })).get("database.reachable");
  expect(said).toMatchObject({ state: "broken", mend: expect.stringContaining("raise max_connections") });
  for (const other of others) await other.end();
  await expect.poll(() => problem(on.admin.call("rollouts.list", { query: {} })), { timeout: 5000 }).toBe("none");
  expect(await deploy(agent, plan(2))).toMatchObject({ phase: "Succeeded" });
  expect(traffic.summary(sinceMs).failed).toBe(0);
}, 60_000);

test("a disk that fills is told of, what serves goes on, and with space all goes on", async (context) => {
  if (disk === undefined) return context.skip("this user may not mount");
  const sinceMs = Date.now();
  const filler = fillerOf(parent);
  for (const bytes of [MIB, 4096]) {
    try {
      for (;;) appendFileSync(filler, Buffer.alloc(bytes));
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
  }
  expect(await problem(importModel(on.admin, { bytes: Buffer.alloc(300_000, "m") }))).toBe("disk-full");
  const seen = new Set<string>();
  const submitFor = async (seconds: number) => {
    for (const endMs = Date.now() + seconds * 1000; Date.now() < endMs; await sleep(50))
      seen.add(await problem(submit(agent, plan(1), true)));
  };
  await submitFor(1);
  expect([...seen]).toContain("disk-full");
  // A database that falls now may find no room to recover. It is tried for longer than one that falls otherwise.
  on.processes.signal(on.processes.pidOf("postgresql"), "SIGKILL");
  await submitFor(10);
  expect(["disk-full", "none", "unavailable"]).toEqual(expect.arrayContaining([...seen]));
  expect(seen).toContain("unavailable");
  const said = (await doctorOf(on.dataDir, { folder })).get("data-folder.space");
  expect(said).toMatchObject({ state: "broken", mend: expect.stringContaining("free space") });
  const dropped = async () => {
    const page = await (await fetch(`${on.servingUrl}/metrics`)).text();
    return Number(/^continuum_serving_capture_dropped_total (\d+)/m.exec(page)?.[1]);
  };
  expect(await dropped()).toBeGreaterThan(0);

  rmSync(filler);
  await expect.poll(() => problem(on.admin.call("rollouts.list", { query: {} })), { timeout: 10_000 }).toBe("none");
  expect(await deploy(agent, plan(1))).toMatchObject({ phase: "Succeeded" });
  const { requests, failed } = traffic.summary(sinceMs);
  expect({ failed, many: requests > 500 }).toEqual({ failed: 0, many: true });
  expect(on.log()).toContain('"msg":"log-lines-lost"');
  expect(await on.admin.call("audit.verify", {})).toMatchObject({ ok: true, problem: null });
}, 60_000);

test("with the database's port taken and the clock 400 days ahead the next start works, and says so", async () => {
  await traffic.stop();
  expect(await on.stop()).toEqual({ code: 0, left: [] });
  const [clusterDir = ""] = on.started.outside;
  const before = Number(readFileSync(join(clusterDir, "port"), "utf8"));
  const taken = await takenPort(before);
  const ops = await takenPort();
  ops.free();
  const variables = {
    NODE_OPTIONS: shiftedClock(400, ["worker", "api"]),
    CONTINUUM_WORKER_COUNT: "1",
    CONTINUUM_WORKER_OPS_PORT: String(ops.port),
    CONTINUUM_LOG_LEVEL: "warn",
  };
  const whenReady = async (out: string) => {
    const { token } = JSON.parse(readFileSync(join(on.dataDir, "cli.json"), "utf8")) as { token: string };
    const admin = createApiClient({ url: /is ready: (\S+)/.exec(out)?.[1] ?? "", token });
    expect(Number(readFileSync(join(clusterDir, "port"), "utf8"))).not.toBe(before);
    traffic = trafficTo(await invocable({ ...on, servingUrl: /^serve .*(http\S+)/m.exec(out)?.[1] ?? "" }, "lacking"));
    // By the API's own clock every token would have expired, and by the worker's every deadline passed.
    expect(await deploy(admin, plan(2))).toMatchObject({ phase: "Succeeded" });
    const found = await doctorOf(on.dataDir, { folder, variables: { ...variables, NODE_OPTIONS: "" } });
    expect(found.get(`workers.${ops.port}`)).toMatchObject({
      state: "note",
      seen: expect.stringMatching(/This host's clock is 345600\d\d s ahead of the database's/),
    });
    expect(found.get("api.answers")?.seen).toContain("ahead of the database's");
    // And a doctor whose own clock is wrong.
    const wrong = await doctorOf(on.dataDir, { folder, variables: { ...variables, NODE_OPTIONS: shiftedClock(400) } });
    expect(wrong.get("database.clock")).toMatchObject({ state: "broken", mend: expect.stringContaining("NTP") });
  };
  const { code, err } = await run(["start", "--data-dir", on.dataDir], { folder, variables, whenReady });
  taken.free();
  expect(code).toBe(0);
  expect(err.match(/"msg":"clock-wrong"/g)).toHaveLength(2);
  expect(err).toContain('"msg":"database-start-again"');
}, 90_000);
