import { hash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runServing } from "../run-serving.ts";
import { type ServingFixture, servingFixture, TOKEN, TOKEN_HASH } from "../testing/serving-fixture.ts";
import { brokenModel, labelModel, slowModel, sumModel } from "../testing/test-models.ts";

const ROW = JSON.stringify({ instances: [[1, 2, 3]] });

describe("invoking a model", () => {
  let fixture: ServingFixture;
  beforeAll(async () => {
    fixture = await servingFixture({ limits: { bodyBytesMax: 10_000 } });
    await fixture.serve("v1", labelModel());
  });
  afterAll(() => fixture.dispose());

  async function answerOf(body: string, headers?: Record<string, string>): Promise<unknown> {
    const response = await fixture.invoke(body, headers);
    return response.headers.get("content-type")?.startsWith("text/csv") ? response.text() : response.json();
  }

  it.each([
    [
      "rows",
      '{"instances":[[1,2,3],[4,5,6]]}',
      {
        predictions: [
          { score: 6, label: 6 },
          { score: 15, label: 15 },
        ],
      },
    ],
    ["rows by input name", '{"instances":[{"features":[1,2,3]}]}', { predictions: [{ score: 6, label: 6 }] }],
    ["a bare array of rows", "[[1,2,3]]", { predictions: [{ score: 6, label: 6 }] }],
    ["one bare row", "[1,2,3]", { predictions: [{ score: 6, label: 6 }] }],
    ["columns", '{"inputs":{"features":[[1,2,3]]}}', { outputs: { score: [[6]], label: [[6]] } }],
    ["columns of the one input", '{"inputs":[[1,2,3]]}', { outputs: { score: [[6]], label: [[6]] } }],
  ])("answers JSON with %s", async (_what, body, expected) => {
    expect(await answerOf(body)).toEqual(expected);
  });

  it("answers CSV as JSON, and as CSV to who asks for it", async () => {
    const csv = { "content-type": "text/csv; charset=utf-8" };
    expect(await answerOf("1,2,3\r\n4, 5,6\n", { ...csv, accept: "application/json" })).toEqual({
      predictions: [
        { score: 6, label: 6 },
        { score: 15, label: 15 },
      ],
    });
    expect(await answerOf("1,2,3\n4,5,6", { ...csv, accept: "text/csv" })).toBe("6,6\n15,15\n");
    expect(await answerOf('{"instances":[[1,2,3]]}', { accept: "text/csv" })).toBe("6,6\n");
  });

  it("says which version answered", async () => {
    const { headers } = await fixture.invoke(ROW);
    expect(headers.get("x-continuum-variant")).toBe("v1");
    expect(headers.get("x-amzn-invoked-production-variant")).toBe("v1");
    expect(headers.get("x-continuum-model-version")).toBe("v1.0.0");
    expect(headers.get("x-request-id")).toBeTruthy();
  });

  it.each([
    ["no JSON", "{instances", "not valid JSON"],
    ["nothing known", '{"rows":[[1,2,3]]}', '"instances"'],
    ["no row", '{"instances":[]}', "no row"],
    ["a short row", '{"instances":[[1,2]]}', "got shape [1, 2]"],
    ["a second row that is short", '{"instances":[[1,2,3],[1,2]]}', "2 values where the first has 3"],
    ["a text", '{"instances":[[1,"2",3]]}', "value 1 (counted from 0) must be a number"],
    ["null", '{"instances":[[1,null,3]]}', "must be a number"],
    ["a number beyond float32", '{"instances":[[1,1e39,3]]}', "fits float32"],
    ["a missing input", '{"instances":[{"other":[1,2,3]}]}', 'no "features"'],
    ["a scalar", "7", "array or an object"],
  ])("refuses %s with 400 and says what would be right", async (_what, body, part) => {
    const response = await fixture.invoke(body);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const problem: unknown = await response.json();
    expect(problem).toMatchObject({ code: "bad-input", status: 400, detail: expect.stringContaining(part) });
  });

  it("names the expected shape", async () => {
    const problem: unknown = await (await fixture.invoke('{"instances":[[1,2]]}')).json();
    expect(problem).toMatchObject({ detail: 'input "features" takes float32 of shape [N, 3]; got shape [1, 2]' });
  });

  it.each([
    ["1,2\n", "got shape [1, 2]"],
    ["1,2,3\n1,2\n", "row 1 (counted from 0) has 2 values"],
    ["a,b,c\n1,2,3\n", "must be a number"],
    ["1,,3\n", "must be a number"],
    ["", "no row"],
  ])("refuses the CSV %j", async (body, part) => {
    const response = await fixture.invoke(body, { "content-type": "text/csv" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining(part) });
  });

  it("refuses media types, codings and sizes that it does not take", async () => {
    expect((await fixture.invoke(ROW, { "content-type": "application/x-npy" })).status).toBe(415);
    expect((await fixture.invoke(ROW, { "content-encoding": "gzip" })).status).toBe(415);
    const large = await fixture.invoke(`[${"1,".repeat(6000)}1]`);
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({ code: "too-large", detail: "the body may have 10000 bytes" });
  });

  it("stops at the limit when the length was not announced", async () => {
    const chunks = new ReadableStream({
      start(controller) {
        for (let n = 0; n < 20; n += 1) controller.enqueue(new TextEncoder().encode("1,".repeat(500)));
        controller.close();
      },
    });
    const response = await fetch(`${fixture.serving.url}/endpoints/development-churn/invocations`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: chunks,
      duplex: "half",
    });
    expect(response.status).toBe(413);
  });

  it("does not hold the caller's faults against the version", async () => {
    const before = await fixture.target.observe(fixture.at);
    await fixture.invoke("{");
    await fixture.invoke('{"instances":[[1]]}');
    expect((await fixture.target.observe(fixture.at)).stable?.requests).toBe(before.stable?.requests);
  });

  it("speaks the Open Inference Protocol v2", async () => {
    const base = `${fixture.serving.url}/v2/models/development-churn`;
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    expect(await (await fetch(base, { headers })).json()).toEqual({
      name: "development-churn",
      versions: ["v1.0.0"],
      platform: "onnx_onnxruntime",
      inputs: [{ name: "features", datatype: "FP32", shape: [-1, 3] }],
      outputs: [
        { name: "score", datatype: "FP32", shape: [-1, 1] },
        { name: "label", datatype: "INT64", shape: [-1, 1] },
      ],
    });
    expect((await fetch(`${base}/ready`, { headers })).status).toBe(200);
    // A client asks for the server first, and needs no token to find out what it speaks to.
    const server = await fetch(`${fixture.serving.url}/v2`);
    expect(await server.json()).toEqual({ name: "continuum", version: "1.2.3", extensions: [] });
    expect((await fetch(`${fixture.serving.url}/v2`, { method: "POST" })).status).toBe(405);
    const infer = (body: unknown) => fetch(`${base}/infer`, { method: "POST", headers, body: JSON.stringify(body) });
    const input = { name: "features", datatype: "FP32", shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };
    expect(await (await infer({ id: "7", inputs: [input], outputs: [{ name: "label" }] })).json()).toEqual({
      model_name: "development-churn",
      model_version: "v1.0.0",
      id: "7",
      outputs: [{ name: "label", datatype: "INT64", shape: [2, 1], data: [6, 15] }],
    });
    for (const [wrong, part] of [
      [{ inputs: [{ ...input, datatype: "FP64" }] }, 'datatype must be "FP32"'],
      [{ inputs: [{ ...input, shape: [3, 3] }] }, '"data" has 6 values'],
      [{ inputs: [{ ...input, name: "x" }] }, "must name an input"],
      [{ inputs: [] }, "it is missing"],
      [{ inputs: [input], outputs: [{ name: "nothing" }] }, 'no output "nothing"'],
    ] as const) {
      const response = await infer(wrong);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining(part) });
    }
  });

  it("answers health and readiness to anybody, and metrics without a name", async () => {
    for (const path of ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"])
      expect((await fetch(fixture.serving.url + path)).status).toBe(200);
    const page = await (await fetch(`${fixture.serving.url}/metrics`)).text();
    expect(page).toMatch(/continuum_serving_requests_total\{role="stable",status="200"\} [1-9]/);
    expect(page).toMatch(/continuum_serving_latency_seconds_count\{role="stable"\} [1-9]/);
    expect(page).toContain('continuum_serving_replicas_healthy{role="stable"} 1');
    expect(page).toContain("continuum_serving_capture_dropped_total 0");
    expect(page).toContain('continuum_serving_refused_total{code="too-large"}');
    expect(page).not.toMatch(/acme|churn|v1/);
  });

  it("has nothing at other addresses and no other methods", async () => {
    expect((await fetch(`${fixture.serving.url}/`)).status).toBe(404);
    const get = await fetch(`${fixture.serving.url}/endpoints/development-churn/invocations`);
    expect(get.status).toBe(405);
    expect(get.headers.get("allow")).toBe("POST");
  });
});

describe("a version with a name that no header takes", () => {
  it("is served, and named percent-encoded", async () => {
    const fixture = await servingFixture();
    try {
      await fixture.serve("v1", sumModel({ bias: 0 }), { modelVersion: "3.1 β\n\ud800" });
      const pids = await fixture.replicaPids();
      const { status, headers } = await fixture.invoke(ROW);
      expect(status).toBe(200);
      expect(headers.get("x-continuum-model-version")).toBe("3.1%20%CE%B2%0A%EF%BF%BD");
      expect(await fixture.replicaPids()).toEqual(pids);
    } finally {
      await fixture.dispose();
    }
  });
});

describe("who may read which metrics", () => {
  let fixture: ServingFixture;
  beforeAll(async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    const version = fixture.version("v9", sumModel({ bias: 0 }));
    fixture.models.set(version.artifactDigest, sumModel({ bias: 0 }));
    const rival = { tenant: "rival", endpoint: { ...fixture.at.endpoint, name: "plans" } };
    for (const generation of [1, 2]) {
      const effect = { ...rival, generation, idempotencyKey: `rival/${generation}` };
      await (generation === 1 ? fixture.target.provision(effect, version) : fixture.target.promote(effect));
    }
    const credential = (token: string, tenant: string, endpoint: string | null = null) => ({
      ...{ hash: hash("sha256", token, "hex"), tenant, environment: null, endpoint, expiresAtMs: null },
    });
    const credentials = [credential(TOKEN, "acme"), credential("r", "rival"), credential("other", "acme", "elsewhere")];
    await fixture.target.pushCredentials({ revision: 2, credentials });
    await fixture.invoke(ROW);
  });
  afterAll(() => fixture.dispose());

  const page = (token: string | null) =>
    fetch(`${fixture.serving.url}/metrics`, token === null ? {} : { headers: { authorization: `Bearer ${token}` } });
  const labels = 'tenant="acme",endpoint="development-churn",variant="v1",role="stable"';

  it("shows a token's holder what it may invoke, and nothing of others", async () => {
    const text = await (await page(TOKEN)).text();
    expect(text).toContain(`continuum_serving_requests_total{${labels},status="200"} 1`);
    expect(text).toContain(`continuum_serving_latency_seconds_count{${labels}} 1`);
    expect(text).toContain(`continuum_serving_replicas_healthy{${labels}} 1`);
    expect(text).toContain('continuum_serving_candidate_percent{tenant="acme",endpoint="development-churn"} 0');
    expect(text).not.toMatch(/rival|plans|v9/);
    const narrow = await (await page("other")).text();
    expect(narrow).not.toMatch(/churn|rival/);
    expect(narrow).toContain("continuum_serving_in_flight 0");
  });

  it("shows sums to who has none, and refuses a token that is not valid", async () => {
    const text = await (await page(null)).text();
    expect(text).not.toMatch(/acme|rival|churn|plans|v1|v9/);
    expect(text).toContain('continuum_serving_replicas_healthy{role="stable"} 2');
    const wrong = await page("guess");
    expect(wrong.status).toBe(401);
    expect(await wrong.text()).not.toMatch(/acme|rival|continuum_serving/);
  });

  it("keeps readers apart who ask at the same time", async () => {
    const asked = Array.from({ length: 30 }, (_, at) => [TOKEN, "r", null][at % 3] ?? null);
    const texts = await Promise.all(asked.map(async (token) => (await page(token)).text()));
    for (const [at, text] of texts.entries()) {
      expect(text.includes("acme")).toBe(asked[at] === TOKEN);
      expect(text.includes("rival")).toBe(asked[at] === "r");
    }
  });

  it("shows all names to anybody where the host's operator wants it", async () => {
    await fixture.serving.close();
    fixture.serving = await runServing({ ...fixture.options, metricsNamesForAll: true });
    const text = await (await page(null)).text();
    expect(text).toContain(`continuum_serving_replicas_wanted{${labels}} 1`);
    expect(text).toContain('tenant="rival"');
  });
});

describe("who may invoke", () => {
  let fixture: ServingFixture;
  beforeAll(async () => {
    fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
  });
  afterAll(() => fixture.dispose());

  async function statusWith(credential: Record<string, unknown>, revision: number): Promise<number> {
    const whole = {
      hash: TOKEN_HASH,
      tenant: "acme",
      environment: null,
      endpoint: null,
      expiresAtMs: null,
      ...credential,
    };
    await fixture.target.pushCredentials({ revision, credentials: [whole] });
    return (await fixture.invoke(ROW)).status;
  }

  it("is who has a token for the tenant, the environment and the endpoint, and has it now", async () => {
    expect(await statusWith({}, 10)).toBe(200);
    expect(
      await statusWith({ environment: "development", endpoint: "churn", expiresAtMs: Date.now() + 60_000 }, 11),
    ).toBe(200);
    expect(await statusWith({ tenant: "other" }, 12)).toBe(404);
    expect(await statusWith({ environment: "production" }, 13)).toBe(404);
    expect(await statusWith({ endpoint: "fraud" }, 14)).toBe(404);
    expect(await statusWith({ expiresAtMs: Date.now() - 1 }, 15)).toBe(401);
    expect(await statusWith({ hash: "0".repeat(64) }, 16)).toBe(401);
    // An older table that comes late changes nothing.
    expect(await statusWith({}, 9)).toBe(401);
    expect(await statusWith({}, 17)).toBe(200);
  });

  it("is nobody without a token, and an unknown endpoint looks like one of somebody else", async () => {
    for (const authorization of [
      "",
      "Bearer",
      "Bearer ",
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN}x`,
      "Bearer ".padEnd(5000, "x"),
    ]) {
      const response = await fixture.invoke(ROW, { authorization });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain("Bearer");
    }
    const other = await fetch(`${fixture.serving.url}/endpoints/development-none/invocations`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: ROW,
    });
    expect(other.status).toBe(404);
  });
});

describe("a model that fails or is slow", () => {
  let fixture: ServingFixture;
  beforeAll(async () => {
    fixture = await servingFixture({ limits: { deadlineMs: 150, endpointInFlightMax: 3, inFlightMax: 4 } });
  });
  afterAll(() => fixture.dispose());
  const slowBody = JSON.stringify({ instances: Array.from({ length: 3000 }, () => [1, 2, 3]) });

  it("answers 500 when it fails on a well-formed request, and that counts against the version", async () => {
    await fixture.serve("broken", brokenModel());
    expect((await fixture.invoke(ROW)).status).toBe(200);
    const response = await fixture.invoke('{"instances":[[9,0,0]]}');
    expect(response.status).toBe(500);
    const problem: unknown = await response.json();
    expect(problem).toMatchObject({ code: "model-error", detail: expect.stringContaining("out of data bounds") });
    expect(JSON.stringify(problem)).not.toMatch(/\n|\/onnxruntime\//);
    expect((await fixture.target.observe(fixture.at)).stable).toMatchObject({ requests: 2, errors: 1 });
  });

  it("answers 504 at the deadline and 429 and 503 above the bounds, and recovers", async () => {
    await fixture.serve("slow", slowModel({ layers: 30 }));
    const statuses = await Promise.all(Array.from({ length: 6 }, async () => (await fixture.invoke(slowBody)).status));
    const counted = (status: number) => statuses.filter((seen) => seen === status).length;
    expect(counted(504)).toBeGreaterThan(0);
    expect(counted(429) + counted(503)).toBeGreaterThan(0);
    expect(counted(200) + counted(504) + counted(429) + counted(503)).toBe(6);
    expect((await fixture.target.observe(fixture.at)).stable?.errors).toBe(counted(504));
    await expect.poll(async () => (await fixture.invoke(ROW)).status, { timeout: 20_000 }).toBe(200);
  });

  it("says with 429 and 503 when to come again", async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => fixture.invoke(slowBody)));
    const refused = answers.filter(({ status }) => status === 429 || status === 503);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers } of refused) expect(headers.get("retry-after")).toBe("1");
  });
});

describe("capture", () => {
  it("writes each answered request with its version and the probability of the draw", async () => {
    const fixture = await servingFixture();
    await fixture.serve("v1", sumModel({ bias: 0 }));
    const guard = {
      alpha: 0.01,
      requestsMin: 1,
      errorRateExcessMax: 0.01,
      latencyRatioMax: 1.5,
      onHealthCheckFailure: true,
    };
    await fixture.target.provision(fixture.effect(), fixture.version("v2", sumModel({ bias: 1 })));
    await fixture.target.shift(fixture.effect(), { percent: 40, guard });
    for (let n = 0; n < 30; n += 1) await fixture.invoke(ROW);
    await fixture.invoke("{");
    await fixture.serving.close();
    const directory = join(fixture.options.captureDir, "acme", "development-churn");
    const files = await readdir(directory);
    const lines = (await Promise.all(files.map((file) => readFile(join(directory, file), "utf8"))))
      .join("")
      .trim()
      .split("\n");
    expect(lines).toHaveLength(31);
    const records = lines.map((line): Record<string, Record<string, unknown>> => JSON.parse(line));
    for (const { continuum, captureData } of records.slice(0, 30)) {
      expect(continuum).toMatchObject({ candidateProbability: 0.4, status: 200 });
      const second = continuum?.["variant"] === "v2";
      expect(continuum?.["role"]).toBe(second ? "candidate" : "stable");
      expect(captureData).toMatchObject({
        endpointInput: { mode: "INPUT", encoding: "JSON", data: ROW, observedContentType: "application/json" },
        endpointOutput: { mode: "OUTPUT", data: JSON.stringify({ predictions: [second ? 7 : 6] }) },
      });
    }
    expect(records[30]?.["continuum"]).toMatchObject({ status: 400 });
    await fixture.restart();
    await fixture.dispose();
  });
});

describe("callers of one tenant who send slowly", () => {
  it("leave the other tenants room", async () => {
    const fixture = await servingFixture({ limits: { inFlightMax: 4, endpointInFlightMax: 10 } });
    const hanging: Socket[] = [];
    try {
      await fixture.serve("v1", sumModel({ bias: 1 }));
      const rival = { ...fixture.at, tenant: "rival" };
      await fixture.target.provision({ ...fixture.effect(), ...rival }, fixture.version("v2", sumModel({ bias: 2 })));
      await fixture.target.promote({ ...fixture.effect(), ...rival });
      const known = { environment: null, endpoint: null, expiresAtMs: null };
      const credentials = [
        { hash: TOKEN_HASH, tenant: "acme", ...known },
        { hash: hash("sha256", "rival-token", "hex"), tenant: "rival", ...known },
      ];
      await fixture.target.pushCredentials({ revision: 2, credentials });
      const { port, hostname } = new URL(fixture.serving.url);
      for (let index = 0; index < 3; index += 1) {
        const socket = connect(Number(port), hostname);
        hanging.push(socket);
        socket.write(
          `POST /endpoints/development-churn/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n` +
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        );
      }
      await expect.poll(async () => (await fixture.invoke(ROW)).status).toBe(429);
      const theirs = await fixture.invoke(ROW, { authorization: "Bearer rival-token" });
      expect([theirs.status, await theirs.json()]).toEqual([200, { predictions: [8] }]);
      for (const socket of hanging) socket.destroy();
      await expect.poll(async () => (await fixture.invoke(ROW)).status).toBe(200);
    } finally {
      for (const socket of hanging) socket.destroy();
      await fixture.dispose();
    }
  });
});
