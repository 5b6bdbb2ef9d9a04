import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../../src/quickstart/traffic.ts";
import { bareEnvironment, type Continuum, startContinuum } from "./testing/continuum.ts";
import { deploy, importModel, invocable, planOf, submit, trustedKey } from "./testing/deployables.ts";

// What an installation shows of itself to operators, other programs and its log, over real sockets.

const BIN = fileURLToPath(new URL("../../bin/continuum.js", import.meta.url));
/** Stands in a payload, a comment and a label, and must stand in no log. */
const MARKER = "marker-8d1f0c";
/** The same in a number, since a payload holds numbers: the model is asked to add it up. */
const NUMBER_MARKER = 7_340_113;

let on: Continuum;
let rolloutId: string;
let invokeUrl: string;
let artifact: string;

beforeAll(async () => {
  on = await startContinuum();
  artifact = await importModel(on.admin, { bias: 1 }, await trustedKey(on.admin));
  const plan = planOf("shown", { version: "1.0.0", artifact });
  const labelled = { ...plan, metadata: { ...plan.metadata, labels: { team: MARKER } } };
  const { id, phase } = await deploy(on.admin, labelled);
  expect(phase).toBe("Succeeded");
  rolloutId = id;
  invokeUrl = await invocable(on, "shown");
});
afterAll(() => on?.clear());

const token = () => on.admin.token ?? "";
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${on.url}${path}`, { headers: { authorization: `Bearer ${token()}`, ...headers } });
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${on.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token()}`, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
const invoke = (body: string) => ask({ url: invokeUrl, token: on.invokeToken, body });

/** The value of one series of Prometheus text. */
async function figure(url: string, series: RegExp): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split("\n").find((candidate) => series.test(candidate));
  return Number(line?.split(" ").at(-1));
}

function continuum(
  argv: string[],
  environment: Record<string, string>,
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [BIN, ...argv], {
    cwd: on.folder,
    env: bareEnvironment({ HOME: on.folder, CONTINUUM_API_PORT: "0", CONTINUUM_SERVING_PORT: "0", ...environment }),
    timeout: 30_000,
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (err += chunk));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

describe("every process", () => {
  test("says that it lives and is ready, and gives figures of its own, without a credential", async () => {
    const roles = on.started.processes.filter(({ name }) => /^(api|serve|worker-\d)$/.test(name));
    expect(roles.map(({ name }) => name).toSorted()).toEqual(["api", "serve", "worker-1", "worker-2"]);
    for (const { url } of roles) {
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      const ready = await fetch(`${url}/readyz`);
      expect({ status: ready.status, body: await ready.text() }).toMatchObject({ status: 200 });
      expect(await figure(url ?? "", /^continuum_process_resident_memory_bytes/)).toBeGreaterThan(10_000_000);
      expect((await fetch(`${url}/metrics`)).headers.get("content-type")).toMatch(/^text\/plain/);
    }
  });

  test("counts what it did", async () => {
    const worker = (name: string) => on.started.processes.find((one) => one.name === name)?.url ?? "";
    const promoted = /^continuum_rollout_events_total\{.*type="promoted"/;
    const counts = await Promise.all(["worker-1", "worker-2"].map((name) => figure(worker(name), promoted)));
    expect(counts.reduce((sum, count) => sum + (Number.isNaN(count) ? 0 : count), 0)).toBe(1);
    expect(await figure(on.url, /^continuum_decisions_total\{.*decision="allow"/)).toBe(1);
    // Entries take their places a moment after what they tell.
    const placed = () => figure(on.url, /^continuum_audit_entries\{.*state="placed"/);
    await expect.poll(placed, { timeout: 10_000 }).toBeGreaterThan(5);
    expect(await figure(on.url, /^continuum_database_up/)).toBe(1);
    const requests = /^continuum_\w*requests_total\{.*200/;
    const before = await figure(on.servingUrl, requests);
    for (const row of ["1,2,3\n", "4,5,6\n"]) expect(await invoke(row)).toMatchObject({ status: 200 });
    expect((await figure(on.servingUrl, requests)) - (Number.isNaN(before) ? 0 : before)).toBe(2);
  });
});

describe("the API", () => {
  test("describes itself in OpenAPI 3.1", async () => {
    const document = (await (await get("/v1/openapi.json")).json()) as { paths: object };
    expect(document).toMatchObject({ openapi: expect.stringMatching(/^3\.1/), info: { title: expect.any(String) } });
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(["/v1/rollouts", "/v1/audit:verify"]));
  });

  test("tells a rollout's events, and goes on after the last that a reader saw", async () => {
    const ids = async (headers: Record<string, string>) => {
      const response = await get(`/v1/rollouts/${rolloutId}/events`, { accept: "text/event-stream", ...headers });
      expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
      return [...(await response.text()).matchAll(/^id: ?(\d+)$/gm)].map(([, id]) => Number(id));
    };
    const all = await ids({});
    expect(all).toEqual(all.map((_, index) => index + 1));
    expect(all.length).toBeGreaterThan(5);
    expect(await ids({ "last-event-id": String(all.length - 2) })).toEqual(all.slice(-2));
  });

  test("does a request with the same key once, and refuses the key for another request", async () => {
    const plan = planOf("rehearsed", { version: "1.0.0", artifact }, { dryRun: true });
    const key = { "idempotency-key": "same-key-1" };
    const first = await post("/v1/rollouts", { plan }, key);
    expect(first.status).toBe(201);
    const again = await post("/v1/rollouts", { plan }, key);
    expect({ status: again.status, body: await again.json() }).toEqual({ status: 201, body: await first.json() });
    const { items } = await on.admin.call("rollouts.list", { query: { name: "rehearsed" } });
    expect(items).toHaveLength(1);
    const other = await post("/v1/rollouts", { plan, supersede: true }, key);
    expect(other.status).toBe(409);
    expect(await other.json()).toMatchObject({ code: "idempotency-conflict" });
  });

  test("words every refusal as a problem with a stable code and the request's id", async () => {
    const refusals = [
      { answer: fetch(`${on.url}/v1/rollouts`), status: 401, code: "unauthenticated" },
      { answer: get("/v1/rollouts/r-none"), status: 404, code: "not-found" },
      { answer: get("/v1/nothing"), status: 404, code: "not-found" },
      { answer: post("/v1/rollouts", "{"), status: 400, code: "malformed-request" },
      { answer: post("/v1/rollouts", { plan: {}, more: 1 }), status: 400, code: "malformed-request" },
      {
        answer: post("/v1/rollouts", "x", { "content-type": "text/plain" }),
        status: 415,
        code: "unsupported-media-type",
      },
    ];
    for (const { answer, status, code } of refusals) {
      const response = await answer;
      const problem = (await response.json()) as { requestId: string };
      expect({ status: response.status, problem }).toMatchObject({ status, problem: { status, code } });
      expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      expect(problem.requestId).toBe(response.headers.get("x-request-id"));
    }
  });
});

describe("the data plane", () => {
  test("hears at once who may invoke now, and who may not any more", async () => {
    const body = { principal: "caller", kind: "service" as const, roles: ["invoker" as const] };
    const startMs = Date.now();
    for (let round = 0; round < 3; round += 1) {
      const { id, secret } = await on.admin.call("tokens.create", { body });
      const status = async () => (await ask({ url: invokeUrl, token: secret, body: "1,2,3\n" })).status;
      await expect.poll(status, { timeout: 5000, interval: 20 }).toBe(200);
      await on.admin.call("tokens.revoke", { params: { id } });
      await expect.poll(status, { timeout: 5000, interval: 20 }).toBe(401);
    }
    // The look that is taken every two seconds anyway would need about twice as long.
    expect(Date.now() - startMs).toBeLessThan(4000);
  });
});

describe("a start", () => {
  test("over a folder that is in use says so and touches nothing", async () => {
    const second = await continuum(["start"], { CONTINUUM_DATA_DIR: on.dataDir });
    expect(second).toMatchObject({ code: 1, out: "" });
    expect(second.err).toMatch(
      /^continuum: Continuum is already running in [^\n]+\(process \d+\): stop that one, [^\n]+\n$/,
    );
    expect(await invoke("1,2,3\n")).toMatchObject({ status: 200 });
    expect(await on.admin.call("audit.verify", {})).toMatchObject({ ok: true });
  });

  test("refuses plain HTTP on other addresses than loopback before anything runs", async () => {
    const folder = join(on.folder, "elsewhere");
    mkdirSync(folder);
    for (const name of ["CONTINUUM_API_HOST", "CONTINUUM_SERVING_HOST"]) {
      const refused = await continuum(["start"], { CONTINUUM_DATA_DIR: folder, [name]: "0.0.0.0" });
      expect(refused).toMatchObject({ code: 1, out: "" });
      expect(refused.err).toMatch(/^continuum: Refusing to serve plain HTTP on 0\.0\.0\.0 [^\n]+\n$/);
    }
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("the log", () => {
  test("of every process holds no token, no payload, no comment and no label", async () => {
    // Good and bad payloads, known and unknown credentials, comments and reasons, each with the marker in it.
    expect(await invoke(`${NUMBER_MARKER},2,3\n`)).toMatchObject({ status: 200 });
    for (const body of [`${MARKER},2,3\n`, `{"${MARKER}": 1}`, `${NUMBER_MARKER}\n`])
      expect((await invoke(body)).status).toBeGreaterThanOrEqual(400);
    await ask({ url: invokeUrl, token: `ctm_${MARKER}`, body: MARKER });
    await get(`/v1/rollouts?name=${MARKER}`, { authorization: `Bearer ctm_${MARKER}` });
    await post("/v1/rollouts", { plan: { [MARKER]: MARKER } });
    const held = { bakeSeconds: 300, deadlineSeconds: 900 };
    const { id } = await submit(on.admin, planOf("commented", { version: "1.0.0", artifact }, { rollout: held }));
    await on.admin.call("rollouts.abort", { params: { id }, body: { comment: MARKER } });
    await on.admin.call("breakers.reset", {
      params: { environment: "development", target: "local", name: "shown" },
      body: { comment: MARKER },
    });

    const { code, left } = await on.stop();
    expect({ code, left }).toEqual({ code: 0, left: [] });
    // Every file that a process writes for people, the database's own log among them; what is stored is not a log.
    const logs = [on.log(), ...postgresLogs()];
    expect(logs[0]).toMatch(/"msg":"http-request"/);
    const shown = on.log().replace(`shown this once: ${token()}`, "");
    for (const secret of [token(), on.invokeToken, MARKER, String(NUMBER_MARKER)]) {
      for (const log of [shown, ...logs.slice(1)])
        expect(log.includes(secret), `found ${secret.slice(0, 8)}`).toBe(false);
    }
  });
});

function postgresLogs(): string[] {
  const folders = [join(on.dataDir, "postgres"), ...on.started.outside];
  return folders.flatMap((folder) => {
    try {
      return [readFileSync(join(folder, "postgres.log"), "utf8")];
    } catch {
      return [];
    }
  });
}
