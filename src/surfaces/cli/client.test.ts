import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PROBLEMS } from "../../contract/problem.ts";
import { runForTest } from "./testing/run-for-test.ts";
import { type Handler, json, problem, type SmallServer, smallServer } from "./testing/small-server.ts";
import { rolloutEvent, rolloutView } from "./testing/views.ts";

const TOKEN = "ctm_abc_0123456789";
const PLAN = [
  "apiVersion: continuum/v1",
  "kind: DeploymentPlan",
  "metadata: { name: churn }",
  "spec:",
  "  environment: development",
  '  model: { name: churn, version: 3.1.0, artifact: "file:./model.onnx" }',
  "  compute: { instanceType: ml.m5.large }",
  "",
].join("\n");
const DIGEST = `sha256:${createHash("sha256").update("a model").digest("hex")}`;

let folder: string;
let server: SmallServer | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-client-"));
  writeFileSync(join(folder, "model.onnx"), "a model");
  writeFileSync(join(folder, "plan.yaml"), PLAN);
  writeFileSync(join(folder, "rows.csv"), "1,2\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function run(handlers: Record<string, Handler>, argv: string[]) {
  server = await smallServer(handlers);
  const result = await runForTest(argv, { folder, variables: { CONTINUUM_URL: server.url, CONTINUUM_TOKEN: TOKEN } });
  return { ...result, seen: server.seen };
}

const putArtifact: Handler = ({ body }, response) => {
  const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
  json(response, 201, { digest, sizeBytes: body.length, encrypted: true, createdAt: "2026-11-01T10:00:00Z" });
};
/** Events as a stream that ends after the last one. */
const events =
  (...list: ReturnType<typeof rolloutEvent>[]): Handler =>
  (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(
      `: beat\n\n${list.map((event) => `id: ${event.sequence}\ndata: ${JSON.stringify(event)}\n\n`).join("")}`,
    );
  };

describe("plan check --server", () => {
  it("says how an artifact gets there when the store does not have it", async () => {
    const stored = (await runForTest(["plan", "check", "-f", "plan.yaml", "-o", "json"], { folder })).out;
    const decision = JSON.parse(stored);
    const unknown = { ...decision.findings[0], clause: "P5", level: "deny", observed: `store:${DIGEST}` };
    const check = (findings: unknown[]) =>
      run({ "POST /v1/plans:check": (_request, response) => json(response, 200, { ...decision, findings }) }, [
        ...["plan", "check", "-f", "plan.yaml", "--server"],
      ]);
    expect((await check(decision.findings)).err).toBe("");
    expect((await check([unknown])).err).toMatch(/^file:\.\/model\.onnx is not in the server's store: /);
  });
});

describe("plan submit", () => {
  const submit = (phase: string): Record<string, Handler> => ({
    [`PUT /v1/artifacts/${encodeURIComponent(DIGEST)}`]: putArtifact,
    "POST /v1/rollouts": (_request, response) => json(response, 201, rolloutView({ phase })),
  });

  it("imports the files first, then submits the plan with store: in their place", async () => {
    const { code, seen, err } = await run(submit("Provisioning"), [
      "plan",
      "submit",
      "-f",
      "plan.yaml",
      "--supersede",
      "--idempotency-key",
      "k1",
    ]);
    expect(code).toBe(0);
    expect(seen.map(({ method }) => method)).toEqual(["PUT", "POST"]);
    expect(seen[0]?.body.toString()).toBe("a model");
    expect(seen[1]?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      "idempotency-key": "k1",
      "content-type": "application/json",
    });
    expect(JSON.parse(seen[1]?.body.toString() ?? "")).toMatchObject({
      supersede: true,
      plan: { spec: { model: { artifact: `store:${DIGEST}` } } },
    });
    expect(err).toContain(`imported file:./model.onnx as store:${DIGEST}`);
  });

  it.each([
    ["Denied", 2],
    ["AwaitingApproval", 3],
    ["Admitted", 0],
    ["Succeeded", 0],
  ])("that is %s at once ends with %d", async (phase, exit) => {
    expect((await run(submit(phase), ["plan", "submit", "-f", "plan.yaml", "-q"])).code).toBe(exit);
  });

  it.each([
    ["Succeeded", 0],
    ["DryRunCompleted", 0],
    ["Failed", 1],
    ["Aborted", 1],
    ["Expired", 1],
    ["Superseded", 1],
    ["Denied", 2],
    ["Rejected", 2],
    ["RolledBack", 4],
  ] as const)("--wait follows to %s and ends with %d", async (phase, exit) => {
    const { code, out, err } = await run(
      {
        ...submit("Admitted"),
        "GET /v1/rollouts/r-1/events": events(
          rolloutEvent(5, "Provisioning", "verified"),
          rolloutEvent(6, phase, "last"),
        ),
        "GET /v1/rollouts/r-1": (_request, response) => json(response, 200, rolloutView({ phase, sequence: 6 })),
      },
      ["plan", "submit", "-f", "plan.yaml", "--wait", "-o", "json"],
    );
    expect(code).toBe(exit);
    expect(JSON.parse(out)).toMatchObject({ id: "r-1", phase });
    expect(err).toMatch(/Provisioning +10 % {2}verified\n/);
  });

  it("--live and --dry-run say what the file does not", async () => {
    const { seen } = await run(submit("Admitted"), ["plan", "submit", "-f", "plan.yaml", "--dry-run"]);
    expect(JSON.parse(seen[1]?.body.toString() ?? "").plan.spec.dryRun).toBe(true);
  });

  it("ends with 5 when the time is over, while the rollout goes on", async () => {
    const endless: Handler = (_request, response) =>
      void response.writeHead(200, { "content-type": "text/event-stream" }).write(": beat\n\n");
    const { code, err } = await run({ ...submit("Admitted"), "GET /v1/rollouts/r-1/events": endless }, [
      "plan",
      "submit",
      "-f",
      "plan.yaml",
      "--wait",
      "--timeout",
      "1s",
    ]);
    expect(code).toBe(5);
    expect(err).toMatch(/continuum: timed out[^\n]*\n$/);
  });
});

describe("rollout watch", () => {
  it("takes up a broken stream after the last event it saw, and shows each once", async () => {
    let connections = 0;
    const { code, out, seen } = await run(
      {
        "GET /v1/rollouts/r-1/events": (request, response) => {
          connections += 1;
          if (connections > 1)
            return events(rolloutEvent(5, "Baking", "shifted"), rolloutEvent(6, "Succeeded", "promoted"))(
              request,
              response,
            );
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.write(`id: 5\ndata: ${JSON.stringify(rolloutEvent(5, "Baking", "shifted"))}\n\n`, () =>
            response.destroy(),
          );
        },
        "GET /v1/rollouts/r-1": (_request, response) =>
          json(response, 200, rolloutView({ phase: connections > 1 ? "Succeeded" : "Baking", sequence: 6 })),
      },
      ["rollout", "watch", "r-1", "-o", "ndjson"],
    );
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).sequence),
    ).toEqual([5, 6]);
    const second = seen.filter(({ path }) => path.includes("/events"))[1];
    expect(second).toMatchObject({ path: "/v1/rollouts/r-1/events?after=5", headers: { "last-event-id": "5" } });
  });
});

describe("answers that are problems", () => {
  it.each(Object.entries(PROBLEMS))(
    "%s has its own exit code, and one line with the request's id",
    async (code, { status, exit }) => {
      const {
        code: seen,
        err,
        out,
      } = await run(
        {
          "GET /v1/rollouts/r-1": (_request, response) =>
            problem(response, { status, code, detail: "Not today\u001b[31m", pointer: "/x" }),
        },
        ["rollout", "get", "r-1"],
      );
      expect({ seen, out }).toEqual({ seen: exit, out: "" });
      expect(err).toBe(`continuum: Not today\ufffd[31m, at /x (${code}, request req-1)\n`);
    },
  );

  it.each([
    ["a page of HTML", 502, "<html>", 69],
    ["another API's error", 404, '{"error":"no"}', 1],
    ["no JSON at all", 200, "hello", 1],
    ["another shape", 200, '{"id":1}', 1],
  ])("%s is told in one line", async (_what, status, body, exit) => {
    const { code, err } = await run(
      { "GET /v1/rollouts/r-1": (_request, response) => void response.writeHead(status).end(body) },
      ["rollout", "get", "r-1"],
    );
    expect(code).toBe(exit);
    expect(err).toMatch(/^continuum: [^\n]+\n$/);
  });

  it("a server that is not there is 69", async () => {
    const result = await runForTest(["rollout", "list"], {
      folder,
      variables: { CONTINUUM_URL: "http://127.0.0.1:9" },
    });
    expect(result).toMatchObject({ code: 69, err: expect.stringContaining("cannot reach http://127.0.0.1:9") });
  });

  it("a redirect is not followed with a credential", async () => {
    const { code, seen } = await run(
      {
        "GET /v1/rollouts/r-1": (_request, response) =>
          void response.writeHead(302, { location: "/v1/elsewhere" }).end(),
      },
      ["rollout", "get", "r-1"],
    );
    expect(code).toBe(69);
    expect(seen.every(({ path }) => path === "/v1/rollouts/r-1")).toBe(true);
  });
});

describe("a broken connection", () => {
  it("is tried again under the same idempotency key", async () => {
    let attempts = 0;
    const { code, seen } = await run(
      {
        "POST /v1/rollouts/r-1/pause": (_request, response) => {
          attempts += 1;
          if (attempts === 1) response.destroy();
          else json(response, 202, rolloutView({ phase: "Paused" }));
        },
      },
      ["rollout", "pause", "r-1"],
    );
    expect(code).toBe(0);
    const keys = seen.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });
});

describe("lists", () => {
  const pages: Record<string, Handler> = {
    "GET /v1/rollouts": ({ path }, response) => {
      const isSecond = path.includes("cursor=next");
      json(response, 200, {
        items: [rolloutView({ id: isSecond ? "r-2" : "r-1" })],
        nextCursor: isSecond ? null : "next",
      });
    },
  };

  it("say when there is more, and give every page with --all", async () => {
    const first = await run(pages, ["rollout", "list", "-e", "development", "--active", "--limit", "1"]);
    expect(first.out).toContain("r-1");
    expect(first.err).toBe("more: --cursor next, or --all\n");
    expect(first.seen[0]?.path).toBe("/v1/rollouts?environment=development&active=true&limit=1");
    await server?.close();
    const all = await run(pages, ["rollout", "list", "--all", "-o", "ndjson"]);
    expect(
      all.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual(["r-1", "r-2"]);
  });
});

describe("endpoint invoke", () => {
  it("sends the rows to the serving process and prints what the model said", async () => {
    const serving = await smallServer({
      "POST /endpoints/development-churn/invocations": ({ body, headers }, response) => {
        response.writeHead(200, {
          "content-type": "text/csv",
          "x-continuum-variant": "v2",
          "x-continuum-model-version": "3.1.0",
        });
        response.end(`${headers["content-type"]} ${body.toString()}`);
      },
    });
    const address = { invokeUrl: `${serving.url}/endpoints/development-churn/invocations` };
    const { code, out, err } = await run(
      { "GET /v1/endpoints/development/local/churn/address": (_request, response) => json(response, 200, address) },
      ["endpoint", "invoke", "churn", "-e", "development", "--data", "rows.csv"],
    );
    await serving.close();
    expect({ code, out, err }).toEqual({ code: 0, out: "text/csv 1,2\n", err: "answered by v2, version 3.1.0\n" });
  });

  it("never sends a token over plain HTTP to another machine", async () => {
    const { code, err } = await run({}, [
      "endpoint",
      "invoke",
      "churn",
      "-e",
      "development",
      "--data",
      "rows.csv",
      "--invoke-url",
      "http://192.0.2.1/x",
    ]);
    expect(code).toBe(64);
    expect(err).toContain("plain HTTP to 192.0.2.1");
  });
});

describe("secrets", () => {
  it("are shown by token create, once, and by nothing else", async () => {
    const secret = "ctm_new_topsecret";
    const token = {
      id: "t1",
      principal: { id: "ci", kind: "service", owner: null },
      roles: ["proposer"],
      createdAt: "2026-11-01T10:00:00Z",
      expiresAt: "2026-12-01T10:00:00Z",
      revokedAt: null,
    };
    const { out, err, seen } = await run(
      { "POST /v1/tokens": (_request, response) => json(response, 201, { ...token, secret }) },
      ["token", "create", "ci", "--kind", "service", "--role", "proposer", "--expires", "30d"],
    );
    expect(out.split(secret)).toHaveLength(2);
    expect(err).not.toContain(secret);
    expect(JSON.parse(seen[0]?.body.toString() ?? "")).toEqual({
      principal: "ci",
      kind: "service",
      roles: ["proposer"],
      expiresInSeconds: 2_592_000,
    });
  });

  it("stay out of every error", async () => {
    const { err } = await run(
      {
        "GET /v1/rollouts/r-1": (_request, response) =>
          problem(response, { status: 401, code: "unauthenticated", detail: "no" }),
      },
      ["rollout", "get", "r-1"],
    );
    expect(err).not.toContain(TOKEN);
  });
});

describe("audit export", () => {
  it("keeps a log that does not verify, and says so with exit code 1", async () => {
    const { code, err } = await run({ "GET /v1/audit/export": (_request, response) => void response.end("{}\n") }, [
      "audit",
      "export",
      "-O",
      "bad.ndjson",
    ]);
    expect(code).toBe(1);
    expect(err).toContain("does not verify, line 1");
    expect(readFileSync(join(folder, "bad.ndjson"), "utf8")).toBe("{}\n");
  });
});
