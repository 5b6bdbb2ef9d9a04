import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planOf, type TestPlan } from "../../service/testing/service-fixture.ts";
import { type HttpFixture, httpFixture } from "../http/testing/http-fixture.ts";
import { runForTest, type TestRun } from "./testing/run-for-test.ts";
import { json, smallServer } from "./testing/small-server.ts";

let on: HttpFixture;
let folder: string;
let artifact: string;
const tokens = new Map<string, string>();
const authenticators = new Map<string, TOTP>();

beforeAll(async () => {
  on = await httpFixture();
  folder = mkdtempSync(join(tmpdir(), "continuum-approval-"));
  artifact = await on.artifact("a model to approve");
  for (const [id, roles] of [
    ["ann", ["approver"]],
    ["owen", ["budget-owner"]],
    ["gus", ["break-glass"]],
    ["olga", ["proposer"]],
  ] as const) {
    tokens.set(id, (await on.principal(id, "human", [...roles])).token);
  }
  for (const id of ["ann", "gus"]) {
    await ok(id, "keys", "generate", id, "--password-env", "PASSWORD");
    const { secret } = JSON.parse(await ok(id, "mfa", "enroll", "-o", "json"));
    authenticators.set(id, new TOTP({ secret: Secret.fromBase32(secret) }));
    await ok(id, "mfa", "confirm", "--code", code(id));
    await ok(id, "keys", "enroll", ...keyOf(id), "--code", code(id), "--label", "laptop");
  }
});
afterAll(async () => {
  await on.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The next code: each counts once. */
function code(who: string): string {
  on.clock.offsetMs += 30_000;
  return authenticators.get(who)?.generate({ timestamp: Date.now() + on.clock.offsetMs }) ?? "";
}
const keyOf = (who: string) => ["--key", `file:${who}.key`, "--password-env", "PASSWORD"];

function as(who: string, ...argv: string[]): Promise<TestRun> {
  const variables = { CONTINUUM_URL: on.url, CONTINUUM_TOKEN: tokens.get(who) ?? "", PASSWORD: "a password" };
  return runForTest(argv, { folder, variables: { ...variables, CONTINUUM_DATA_DIR: join(folder, "data") } });
}

async function ok(who: string, ...argv: string[]): Promise<string> {
  const { code: exit, out, err } = await as(who, ...argv);
  expect([argv.join(" "), exit, exit === 0 ? "" : err]).toEqual([argv.join(" "), 0, ""]);
  return out;
}

let count = 0;
async function waiting(plan: Partial<TestPlan> = {}) {
  count += 1;
  const live = { artifact, name: `cli-${count}`, environment: "production" as const, dryRun: false };
  const olga = await on.principal("olga", "human", ["proposer"]);
  return on.call("plans.submit", olga, { body: { plan: planOf({ ...live, ...plan }) } });
}
const end = async (id: string) => on.call("rollouts.abort", await on.admin(), { params: { id }, body: {} });

describe("approving on the command line", () => {
  it("shows what would change, cost and be needed, and how it is approved", async () => {
    const { id, planDigest } = await waiting();
    const out = await ok("ann", "approval", "show", id);
    for (const words of [
      "2 x ml.m5.large",
      "Nothing serves there yet",
      "NEEDS APPROVAL",
      "AO-7",
      planDigest,
      "--key",
    ]) {
      expect(out).toContain(words);
    }
    expect(JSON.parse(await ok("ann", "approval", "show", id, "-o", "json"))).toMatchObject({ planDigest });
    await end(id);
  });

  it("signs with one's own key, and is asked for the digest where it is not to ask", async () => {
    const { id, planDigest } = await waiting();
    const approve = ["approval", "approve", id, ...keyOf("ann")];
    expect(await as("ann", ...approve, "--code", code("ann"))).toMatchObject({
      ...{ code: 64, err: expect.stringContaining("--plan-digest") },
    });
    expect(await as("ann", ...approve, "--yes")).toMatchObject({
      code: 64,
      err: expect.stringContaining("--plan-digest"),
    });
    const other = `sha256:${"0".repeat(64)}`;
    expect(await as("ann", ...approve, "--yes", "--plan-digest", other)).toMatchObject({
      ...{ code: 1, err: expect.stringContaining(planDigest) },
    });
    const sure = ["--yes", "--plan-digest", planDigest];
    expect(await as("ann", "approval", "approve", id, ...sure)).toMatchObject({
      code: 64,
      err: expect.stringContaining("--key"),
    });
    expect(await as("ann", ...approve, ...sure, "--code", "000000")).toMatchObject({
      ...{ code: 77, err: expect.stringContaining("one-time code") },
    });
    const out = await ok("ann", ...approve, ...sure, "--code", code("ann"), "--comment", "read it", "-o", "json");
    expect(JSON.parse(out)).toMatchObject({
      phase: "Verifying",
      approvals: [{ approver: "ann", signed: true, mfa: true }],
    });
    await end(id);
  });

  it("breaks the glass with a reason, which another person reviews", async () => {
    const { id, planDigest } = await waiting({ instanceType: "ml.g5.12xlarge", instanceCount: 5 });
    const approve = ["approval", "approve", id, ...keyOf("gus"), "--yes", "--plan-digest", planDigest, "--break-glass"];
    expect(await as("gus", ...approve)).toMatchObject({ code: 64, err: expect.stringContaining("--reason") });
    const reason = "every loan is denied since noon";
    const out = await ok("gus", ...approve, "--reason", reason, "--code", code("gus"), "-o", "json");
    expect(JSON.parse(out).approvals).toMatchObject([{ role: "break-glass", reason }]);
    expect(await ok("ann", "rollout", "get", id)).toContain(reason);
    expect(await ok("ann", "approval", "reviews")).toContain(reason);
    const review = ["approval", "review", id, "--verdict", "justified", "--comment", "the outage was real"];
    expect((await as("gus", ...review)).code).toBe(77);
    expect(await ok("ann", ...review)).toBe(`reviewed ${id}: justified\n`);
    expect(await ok("ann", "approval", "reviews")).toContain("no broken glass");
    expect(await ok("ann", "approval", "reviews", "--reviewed")).toContain("justified, by ann");
    await end(id);
  });

  it("needs no more than the digest where nothing is signed", async () => {
    const { id, planDigest } = await waiting({ environment: "staging", instanceCount: 3 });
    expect((await as("ann", "approval", "approve", id)).code).toBe(64);
    const out = await ok("ann", "approval", "approve", id, "--plan-digest", planDigest, "-o", "json");
    expect(JSON.parse(out)).toMatchObject({ phase: "Verifying", approvals: [{ mfa: false, signed: false }] });
  });
});

describe("a server that lies", () => {
  /** What `who` is told to sign by a server that answers with this statement, and how that ended. */
  async function signedFor(who: string, id: string, planDigest: string, statement: object) {
    const reader = await on.principal("bob", "human", ["approver"]);
    const person = await on.principal(who, "human", [who === "gus" ? "break-glass" : "approver"]);
    const liar = await smallServer({
      [`GET /v1/approvals/${id}`]: async (_, to) =>
        json(to, 200, await on.call("approvals.show", reader, { params: { id } })),
      [`GET /v1/rollouts/${id}`]: async (_, to) =>
        json(to, 200, await on.call("rollouts.get", reader, { params: { id } })),
      "POST /v1/plans:diff": (_, to) => json(to, 200, { endpoint: "x", liveRollout: null, changes: [] }),
      [`POST /v1/approvals/${id}/statement`]: (_, to) => json(to, 201, statement),
      "GET /v1/principal": async (_, to) => json(to, 200, await on.call("principal.show", person)),
    });
    try {
      const variables = { CONTINUUM_URL: liar.url, CONTINUUM_TOKEN: tokens.get(who) ?? "", PASSWORD: "a password" };
      const asked = ["--yes", "--plan-digest", planDigest, "--code", "123456"];
      const run = await runForTest(["approval", "approve", id, ...keyOf(who), ...asked], { folder, variables });
      expect(liar.seen.filter(({ path }) => path.endsWith("/approve"))).toEqual([]);
      return run;
    } finally {
      await liar.close();
    }
  }

  it("gets no signature of anything else than was shown", async () => {
    const { id, planDigest } = await waiting();
    const bob = await on.principal("bob", "human", ["approver"]);
    const ofBob = await on.call("approvals.statement", bob, { params: { id }, body: {} });
    const run = await signedFor("ann", id, planDigest, ofBob);
    expect(run).toMatchObject({ code: 1, err: expect.stringMatching(/another approver.*nothing was signed/) });
    await end(id);
  });

  it("has no glass broken by somebody who only approves", async () => {
    const { id, planDigest } = await waiting();
    const gus = await on.principal("gus", "human", ["break-glass"]);
    const body = { role: "break-glass" as const, reason: "not the person's words" };
    const glass = await on.call("approvals.statement", gus, { params: { id }, body });
    const run = await signedFor("gus", id, planDigest, glass);
    expect(run).toMatchObject({ code: 1, err: expect.stringMatching(/breaks the glass.*nothing was signed/) });
    await end(id);
  });
});

describe("one's own keys and codes", () => {
  it("are listed, withdrawn, and removed by their holder", async () => {
    expect(JSON.parse(await ok("ann", "mfa", "show", "-o", "json"))).toMatchObject({ totp: "confirmed", keys: 1 });
    const { items } = JSON.parse(await ok("ann", "keys", "enrolled", "-o", "json"));
    expect(items).toMatchObject([{ label: "laptop", revokedAt: null }]);
    await ok("ann", "keys", "withdraw", items[0].keyId);
    expect(await ok("ann", "mfa", "show")).toMatch(/keys for approvals +0\n/);
    const { secret } = JSON.parse(await ok("ann", "mfa", "enroll", "-o", "json"));
    const renewed = new TOTP({ secret: Secret.fromBase32(secret) });
    const old = code("ann");
    await ok(
      "ann",
      "mfa",
      "confirm",
      "--old-code",
      old,
      "--code",
      renewed.generate({ timestamp: on.clock.offsetMs + Date.now() }),
    );
    authenticators.set("ann", renewed);
    expect(await as("ann", "mfa", "remove", "--code", "12345")).toMatchObject({ code: 64 });
    expect(await ok("ann", "mfa", "remove", "--code", code("ann"))).toMatch(/one-time codes +none\n/);
  });
});
