import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { operations } from "../../contract/operations.ts";
import { runForTest } from "./testing/run-for-test.ts";

const FORBID = [
  '@id("ACME-1")',
  '@level("deny")',
  '@reason("We never run {observed}")',
  '@source("acme#handbook")',
  '@path("/spec/compute/instanceType")',
  '@observed("instanceType")',
  'forbid (principal, action in Action::"deploy", resource)',
  'when { context.instanceType == "ml.m5.xlarge" };',
  "",
].join("\n");
const TABLE = [
  "table: acme",
  "cases:",
  "  - { name: refused, environment: staging, spec: { compute: { instanceType: ml.m5.xlarge } }, expect: { deny: [ACME-1] } }",
  "  - { name: silent, environment: staging, expect: { deny: [] } }",
  "",
].join("\n");

const PLAN = [
  "apiVersion: continuum/v1",
  "kind: DeploymentPlan",
  "metadata: { name: churn }",
  "spec:",
  "  environment: development",
  '  model: { name: churn, version: 1.0.0, artifact: "s3://models/churn.onnx" }',
  "  compute: { instanceType: ml.m5.xlarge }",
  "  rollback: { alarms: [ModelMonitorAlarm, DataDriftAlarm] }",
  "",
].join("\n");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-policy-"));
  for (const name of ["good/tables", "wrong/tables", "bare", "broken", "none"])
    mkdirSync(join(folder, name), { recursive: true });
  for (const name of ["good", "wrong", "bare"]) writeFileSync(join(folder, name, "acme.cedar"), FORBID);
  writeFileSync(join(folder, "good", "tables", "acme.yaml"), TABLE);
  writeFileSync(join(folder, "wrong", "tables", "acme.yaml"), TABLE.replace("deny: []", "deny: [ACME-1]"));
  writeFileSync(join(folder, "broken", "acme.cedar"), FORBID.replace("instanceType ==", "instanceTipe =="));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...argv: string[]) => runForTest(argv, { folder });

describe("plan explain with one's own policies", () => {
  it("says what the policy says, with what was observed in its place", async () => {
    const { code, out } = await runForTest(["plan", "explain", "-f", "-", "--policy", "good"], { folder, stdin: PLAN });
    expect(code).toBe(0);
    expect(out).toMatch(/, by the shipped policies and those of good\n/);
    expect(out).toContain("ACME-1  A clause of your own policies\n  deny: We never run ml.m5.xlarge");
    expect(out).not.toContain("{observed}");
  });
});

describe("policy list", () => {
  it("gives offline what the API would give", async () => {
    const { code, out } = await run("policy", "list", "-o", "json");
    expect(code).toBe(0);
    const list = operations["policy.list"].output.parse(JSON.parse(out));
    expect(list.policies.map(({ id }) => id)).toContain("AO-1");
    expect((await run("policy", "list", "good")).out).toContain("ACME-1");
  });
});

describe("a folder without a policy", () => {
  it.each([
    ["policy", "lint", "none"],
    ["policy", "test", "none"],
    ["policy", "list", "none"],
    ["policy", "diff", "shipped", "none"],
    ["plan", "check", "-f", "-", "--policy", "none"],
  ])("is a mistake for %s %s, and not one in which nothing is wrong", async (...argv) => {
    const { code, out, err } = await runForTest(argv, { folder, stdin: PLAN });
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(/^continuum: a folder without a policy, .* none, must be a folder of .cedar files/);
  });
});

describe("policy test", () => {
  it("holds for every case of the shipped set", async () => {
    const { code, out } = await run("policy", "test", "-o", "json");
    expect(code).toBe(0);
    const { cases, failed } = JSON.parse(out);
    expect(cases).toBeGreaterThan(100);
    expect(failed).toBe(0);
  });

  it("runs a user's tables over a user's policies, and names the case that does not hold", async () => {
    expect(await run("policy", "test", "good")).toMatchObject({ code: 0, out: "2 of 2 cases hold\n" });
    const { code, out } = await run("policy", "test", "wrong");
    expect(code).toBe(1);
    expect(out).toMatch(
      /^FAILS {2}tables\/acme\.yaml:4 {2}silent\n +deny: expected \["ACME-1"\], got \[\]\n1 of 2 cases hold\n$/,
    );
  });

  it("does not call a folder without a table tested", async () => {
    expect(await run("policy", "test", "bare")).toMatchObject({
      code: 1,
      err: expect.stringContaining("no decision table in bare"),
    });
  });
});

describe("policy lint", () => {
  it("passes the shipped set and a user's good folder", async () => {
    expect((await run("policy", "lint", "-o", "json")).code).toBe(0);
    expect(await run("policy", "lint", "good")).toMatchObject({ code: 0, out: "nothing is wrong\n" });
  });

  it("warns of a clause that no table tests, and fails on one that does not fit the schema", async () => {
    expect(await run("policy", "lint", "bare")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/acme\.cedar:1 +warning/),
    });
    expect(await run("policy", "lint", "broken")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/acme\.cedar:1 +error/),
    });
  });

  it("calls a folder that is not there the user's mistake", async () => {
    expect(await run("policy", "lint", "nowhere")).toMatchObject({
      code: 64,
      err: "continuum: no such folder, the folder nowhere, must be a folder of .cedar files and decision tables\n",
    });
  });
});

describe("policy diff", () => {
  it("shows a plan that is decided differently", async () => {
    const { code, out } = await run("policy", "diff", "shipped", "good", "-o", "json");
    expect(code).toBe(0);
    const diff = JSON.parse(out);
    expect(diff.changes).toMatchObject([{ id: "ACME-1", change: "added" }]);
    expect(diff.witnesses[0]).toMatchObject({
      after: "deny",
      gained: ["ACME-1"],
      when: { instanceType: "ml.m5.xlarge" },
    });
    expect((await run("policy", "diff", "good", "good")).out).toContain("the sets hold the same policies");
  });
});

describe("plan check --policy", () => {
  it("decides with a user's own policies beside the shipped ones", async () => {
    writeFileSync(
      join(folder, "plan.yaml"),
      [
        "apiVersion: continuum/v1",
        "kind: DeploymentPlan",
        "metadata: { name: churn }",
        "spec:",
        "  environment: staging",
        `  model: { name: churn, version: 3.1.0, artifact: "store:sha256:${"a".repeat(64)}" }`,
        "  compute: { instanceType: ml.m5.xlarge }",
        "  rollback: { alarms: [ModelMonitorAlarm, DataDriftAlarm] }",
        "",
      ].join("\n"),
    );
    expect((await run("plan", "check", "-f", "plan.yaml")).code).toBe(0);
    const { code, out } = await run("plan", "check", "-f", "plan.yaml", "--policy", "good");
    expect(code).toBe(2);
    expect(out).toContain("We never run ml.m5.xlarge");
    expect((await run("plan", "check", "-f", "plan.yaml", "--policy", "broken")).code).toBe(64);
  });
});
