import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Operation } from "../../contract/operation.ts";
import { type OperationName, operations } from "../../contract/operations.ts";
import { planOf } from "../../service/testing/service-fixture.ts";
import { type HttpFixture, httpFixture } from "./testing/http-fixture.ts";

let on: HttpFixture;
beforeAll(async () => {
  on = await httpFixture({ limits: { jsonBytesMax: 16_384, rawBytesMax: 100_000 }, heartbeatMs: 50 });
});
afterAll(() => on.close());

const plan = (name: string, more = {}) =>
  planOf({ artifact: `store:sha256:${"7".repeat(64)}`, target: "simulated", name, ...more });
const check = (body: unknown, headers = {}) => on.ask("/v1/plans:check", { method: "POST", body, headers });

describe("a problem", () => {
  test("says what, where, and under which request it is found in the log", async () => {
    const answer = await check({ ...plan("x"), metadata: { nam: "x" } });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toEqual({
      type: "urn:continuum:problem:malformed-request",
      title: "The request is malformed",
      status: 400,
      code: "malformed-request",
      pointer: "/metadata/nam",
      detail: expect.stringContaining('did you mean "name"?'),
      requestId: answer.headers.get("x-request-id"),
    });
  });

  test.each([
    ["not JSON", "{", 400, "malformed-request"],
    ["a key that stands twice", '{"kind":1,"kind":2}', 400, "malformed-request"],
    ["a prototype's key", '{"__proto__":{}}', 400, "malformed-request"],
    ["bytes that are no UTF-8", new Uint8Array([0x22, 0xff, 0x22]), 400, "malformed-request"],
    ["nothing", "", 400, "malformed-request"],
    ["too much", JSON.stringify({ x: "a".repeat(20_000) }), 413, "too-large"],
  ])("answers %s", async (_, body, status, code) => {
    const answer = await check(body, { "content-type": "application/json" });
    expect([answer.status, answer.body["code"]]).toEqual([status, code]);
  });

  test("answers a body of another type, and a chunked one that grows too large", async () => {
    expect((await check("a: 1", { "content-type": "application/yaml" })).body).toMatchObject({
      code: "unsupported-media-type",
    });
    const stream = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 20; index += 1) controller.enqueue(new Uint8Array(1024).fill(0x20));
        controller.close();
      },
    });
    const headers = { authorization: `Bearer ${on.adminToken}`, "content-type": "application/json" };
    const answer = await fetch(`${on.url}/v1/plans:check`, {
      method: "POST",
      headers,
      body: stream,
      duplex: "half",
    } as RequestInit);
    expect(answer.status).toBe(413);
    await answer.body?.cancel();
  });

  test.each(["?limit=0", "?limit=x", "?limit=1&limit=2", "?environment=mars", "?cursor=abc"])(
    "answers the query %s",
    async (query) => {
      expect((await on.ask(`/v1/rollouts${query}`)).body).toMatchObject({ status: 400, code: "malformed-request" });
    },
  );

  test.each([
    ["/v1/rollouts?limitt=5", 'query: /limitt: unknown key "limitt"; did you mean "limit"?'],
    ["/v1/rollouts?tenant=other", 'query: /tenant: unknown key "tenant"; known here: '],
    ["/v1/rollouts/none?verbose=1", 'query: unknown key "verbose"; this operation takes no query'],
  ])("says that it does not know the query of %s", async (path, detail) => {
    const { body } = await on.ask(path);
    expect(body).toMatchObject({ status: 400, code: "malformed-request", detail: expect.stringContaining(detail) });
  });

  test("answers what is not there, and tells nothing of what failed on our side", async () => {
    expect((await on.ask("/v1/nothing")).body).toMatchObject({ status: 404, code: "not-found" });
    expect((await on.ask("/v1/rollouts/none")).body).toMatchObject({ status: 404, code: "not-found" });
    await on.database.query("ALTER TABLE trusted_keys RENAME TO mislaid");
    const failed = await on.ask("/v1/keys");
    await on.database.query("ALTER TABLE mislaid RENAME TO trusted_keys");
    expect(failed.body).toMatchObject({ status: 500, code: "internal" });
    expect(failed.text).not.toContain("trusted_keys");
    expect(on.logged.at(-2)).toMatchObject({
      event: "http-request-failed",
      facts: { operation: "keys.list", code: "42P01", reason: expect.stringContaining("service/keys.ts:") },
    });
  });
});

describe("a credential", () => {
  const guarded = Object.entries(operations) as [OperationName, Operation][];

  test.each(guarded)("is needed for %s, before anything of the request is read", async (name) => {
    const body = operations[name].method === "GET" ? {} : { body: "{" };
    for (const token of [null, "ctm_0123456789abcdef_".padEnd(64, "x")]) {
      const answer = await on.perform(name, { token, ...body });
      expect(answer.body).toMatchObject({ status: 401, code: "unauthenticated" });
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  test("is never logged, nor is any part of a request", async () => {
    await check(plan("secret-name"));
    const text = JSON.stringify(on.logged);
    expect(text).not.toContain("secret-name");
    expect(text).not.toContain(on.adminToken.slice(-20));
    expect(on.logged.at(-1)).toEqual({
      event: "http-request",
      facts: { operation: "plans.check", status: 200, requestId: expect.any(String), durationMs: expect.any(Number) },
    });
  });

  test("decides the tenant; a payload that names one is malformed", async () => {
    expect((await check({ ...plan("x"), tenant: "other" })).body).toMatchObject({
      code: "malformed-request",
      pointer: "/tenant",
    });
  });
});

test("every answer carries the headers that keep browsers from making something of it", async () => {
  for (const path of ["/v1/rollouts", "/v1/nothing", "/healthz", "/v1/openapi.json"]) {
    const { headers } = await on.ask(path);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("access-control-allow-origin")).toBeNull();
  }
});

describe("Idempotency-Key", () => {
  const submit = (body: unknown, key: string) =>
    on.ask("/v1/rollouts", { method: "POST", body, headers: { "idempotency-key": key } });

  test("makes one rollout of one request, however often it comes", async () => {
    const body = { plan: { ...plan("once"), spec: { ...plan("once").spec, dryRun: true } } };
    const [first, second] = [await submit(body, "k-1"), await submit(body, "k-1")];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body).toEqual(first.body);
    const list = await on.ask("/v1/rollouts?name=once");
    expect(list.body["items"]).toHaveLength(1);
    expect((await submit({ plan: plan("twice") }, "k-1")).body).toMatchObject({
      status: 409,
      code: "idempotency-conflict",
    });
    expect((await submit(body, "no spaces please")).body).toMatchObject({ status: 400 });
  });
});

describe("the events of a rollout", () => {
  async function* messages(path: string, headers: Record<string, string> = {}) {
    const response = await fetch(on.url + path, { headers: { authorization: `Bearer ${on.adminToken}`, ...headers } });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += new TextDecoder().decode(chunk);
      const parts = text.split("\n\n");
      text = parts.pop() ?? "";
      yield* parts;
    }
  }
  const idsOf = (seen: string[]) => seen.flatMap((one) => /^id: (\d+)/.exec(one)?.[1] ?? []).map(Number);

  test("come as they happen, end with it, and go on where a reader stopped", async () => {
    const submitted = await on.ask("/v1/rollouts", { method: "POST", body: { plan: plan("followed") } });
    const path = `/v1/rollouts/${String(submitted.body["id"])}/events`;
    const live: string[] = [];
    const reading = (async () => {
      for await (const message of messages(path)) live.push(message);
    })();
    // Nobody works yet: the line is kept alive while nothing happens.
    await expect.poll(() => live.filter((one) => one === ": alive").length).toBeGreaterThan(1);
    const worker = await on.worker();
    await reading;
    await worker.stop(1000);
    const ids = idsOf(live);
    expect(ids).toEqual(ids.map((_, index) => index + 1));
    expect(live.at(-1)).toContain("event: promoted");
    const rest: string[] = [];
    for await (const message of messages(path, { "last-event-id": "3" })) rest.push(message);
    expect(idsOf(rest)).toEqual(ids.slice(3));
    const after: string[] = [];
    for await (const message of messages(`${path}?after=${ids.at(-1)}`)) after.push(message);
    expect(idsOf(after)).toEqual([]);
    expect((await on.ask(path, { headers: { "last-event-id": "x" } })).body).toMatchObject({ status: 400 });
  });

  test("of another tenant are not there", async () => {
    expect((await on.ask("/v1/rollouts/r-none/events")).body).toMatchObject({ code: "not-found" });
  });
});

describe("what every process answers", () => {
  test("alive, ready, and its figures", async () => {
    expect((await on.ask("/healthz", { token: null })).body).toEqual({ status: "ok" });
    expect((await on.ask("/readyz", { token: null })).body).toEqual({ status: "ready", problems: [] });
    const { text } = await on.ask("/metrics", { token: null });
    expect(text).toMatch(/continuum_http_requests_total\{operation="plans.check",status="200"\} \d+/);
    expect(text).toContain("continuum_http_request_duration_seconds_bucket");
  });

  test("a request line that is none is refused without harm", async () => {
    const { port, hostname } = new URL(on.url);
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = connect(Number(port), hostname, () => socket.write("NONSENSE\r\n\r\n"));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("close", () => resolve(text));
    expect(await promise).toContain("400");
    expect((await on.ask("/healthz")).status).toBe(200);
  });
});
