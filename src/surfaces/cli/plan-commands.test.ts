import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decisionSchema } from "../../contract/views.ts";
import { runForTest } from "./testing/run-for-test.ts";

const MODEL = "not really a model\n";
const MODEL_DIGEST = `sha256:${createHash("sha256").update(MODEL).digest("hex")}`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-plan-"));
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "sub", "model.onnx"), MODEL);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (argv: string[], stdin = "") => runForTest(argv, { folder, stdin });

function plan(
  changes: { environment?: string; spec?: string; count?: number; type?: string; artifact?: string } = {},
): string {
  return [
    "apiVersion: continuum/v1",
    "kind: DeploymentPlan",
    "metadata: { name: churn }",
    "spec:",
    `  environment: ${changes.environment ?? "development"}`,
    `  model: { name: churn, version: 3.1.0, artifact: "${changes.artifact ?? "file:./model.onnx"}" }`,
    `  compute: { instanceType: ${changes.type ?? "ml.m5.large"}, instanceCount: ${changes.count ?? 1} }`,
    "  rollback: { alarms: [ModelMonitorAlarm, DataDriftAlarm] }",
    changes.spec ?? "",
    "",
  ].join("\n");
}

function file(text: string, name = "plan.yaml"): string {
  writeFileSync(join(folder, "sub", name), text);
  return join("sub", name);
}

describe("plan check", () => {
  it("allows with 0, denies with 2, and asks for people with 3", async () => {
    expect((await run(["plan", "check", "-f", file(plan())])).code).toBe(0);
    expect((await run(["plan", "check", "-f", file(plan({ type: "ml.g5.xlarge" }))])).code).toBe(2);
    expect((await run(["plan", "check", "-f", file(plan({ environment: "staging", count: 3 }))])).code).toBe(3);
  });

  it("says beside the decision that no driver is there for the target", async () => {
    const { out, err } = await run(["plan", "check", "-o", "json", "-f", file(`${plan()}  target: braket\n`)]);
    expect(decisionSchema.strict().parse(JSON.parse(out)).source).toBe("shipped");
    expect(err).toMatch(/^this build has no driver for braket: .*deploys to local and simulated\n$/);
    expect((await run(["plan", "check", "-f", file(plan())])).err).toBe("");
  });

  it("prints exactly a decision as JSON, over the plan with its file hashed beside the plan", async () => {
    const byFile = await run(["plan", "check", "-o", "json", "-f", file(plan())]);
    const decision = decisionSchema.strict().parse(JSON.parse(byFile.out));
    expect(decision).toMatchObject({ decision: "allow", source: "shipped", simulation: false, fix: [] });
    expect(decision.obligations.every(({ status }) => status === "unchecked")).toBe(true);
    const byStore = await run(["plan", "check", "-o", "json", "-f", file(plan({ artifact: `store:${MODEL_DIGEST}` }))]);
    expect(JSON.parse(byStore.out).planDigest).toBe(decision.planDigest);
  });

  it("shows a person each clause with what was observed and what the limit is", async () => {
    const { out } = await run(["plan", "check", "-f", file(plan({ type: "ml.g5.xlarge" }))]);
    expect(out).toMatch(/^DENIED {2}low risk/);
    expect(out).toMatch(/AO-1 +deny +ml\.g5\.xlarge +ml\.m5\.large +\/spec\/compute\/instanceType/);
    expect(out).toContain("~ spec.compute.instanceType: ml.m5.large");
    expect(out).not.toContain("\u001b");
  });

  it("says COMPLIANT in simulation, and the truth beside it", async () => {
    const text = plan({ type: "ml.g5.xlarge", spec: "  target: simulated" });
    const { code, out } = await run(["plan", "check", "-o", "json", "-f", file(text)]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      decision: "allow",
      simulation: true,
      report: "COMPLIANT",
      live: { decision: "deny" },
    });
    expect((await run(["plan", "check", "-f", file(text)])).out).toContain("For real it would be denied");
  });

  it("writes a plan that holds with --fix, files named as before, and overwrites nothing", async () => {
    const broken = file(
      plan({
        environment: "production",
        type: "ml.p9.unknown",
        spec: "  monitor: { baseline: 'file:./model.onnx', dataDrift: {}, modelQuality: { label: y, problem: binary }, bias: { facet: g, favoured: [f] } }",
      }),
    );
    const { code, err } = await run(["plan", "check", "-f", broken, "--fix", "sub/fixed.yaml"]);
    expect(code).toBe(2);
    expect(err).toContain("wrote sub/fixed.yaml");
    expect(readFileSync(join(folder, "sub", "fixed.yaml"), "utf8")).toContain("artifact: file:./model.onnx");
    expect((await run(["plan", "check", "-f", "sub/fixed.yaml"])).code).toBe(3);
    const again = await run(["plan", "check", "-f", broken, "--fix", "sub/fixed.yaml"]);
    expect(again).toMatchObject({ code: 64, err: expect.stringContaining("nothing is overwritten") });
  });

  it("prints only the fixed plan with a bare --fix", async () => {
    const { out } = await run(["plan", "check", "-f", file(plan({ type: "ml.g5.xlarge" })), "--fix"]);
    expect(out).toMatch(/^apiVersion: continuum\/v1\n/);
    writeFileSync(join(folder, "sub", "printed.yaml"), out);
    expect((await run(["plan", "check", "-f", "sub/printed.yaml"])).code).toBe(0);
  });

  it("reads standard input, and files from where it runs", async () => {
    expect((await run(["plan", "check", "-f", "-"], plan({ artifact: "file:sub/model.onnx" }))).code).toBe(0);
  });

  it.each([
    [
      "a file that is missing",
      plan({ artifact: "file:./nowhere.onnx" }),
      /no such file, sub\/plan\.yaml at \/spec\/model\/artifact file:\.\/nowhere\.onnx, must be/,
    ],
    ["a folder", plan({ artifact: "file:." }), /a folder, sub\/plan\.yaml at \/spec\/model\/artifact/],
    ["an unknown key", plan({ spec: "  budjet: {}" }), /sub\/plan\.yaml:\d+:\d+: .*budget/],
    ["a duplicate key", plan({ spec: "  environment: staging" }), /environment.* twice/],
    ["an alias", plan({ spec: "  budget: &a {}\n  workload: *a" }), /(alias|anchor)/],
    ["a tag", plan({ spec: "  dryRun: !!js/function x" }), /tag/],
    ["a prototype key", plan({ spec: "  __proto__: { x: 1 }" }), /reserved/],
    ["a number that is not finite", plan({ spec: "  budget: { maxUsdPerHour: .inf }" }), /sub\/plan\.yaml:\d+/],
    ["too much", `#${"x".repeat(300_000)}`, /more than|longer than/],
    ["no YAML", "a: [", /sub\/plan\.yaml/],
    ["nothing", "", /sub\/plan\.yaml/],
    ["bytes that are no text", "\ud800", /./],
  ])("refuses %s with exit code 64 and one line", async (_what, text, line) => {
    const { code, out, err } = await run(["plan", "check", "-f", file(text)]);
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(/^continuum: [^\n]+\n$/);
    expect(err).toMatch(line);
    expect(err).not.toMatch(/\bat .*:\d+:\d+\)/);
  });

  it("refuses bytes that are not UTF-8", async () => {
    writeFileSync(join(folder, "sub", "latin.yaml"), Buffer.from([0x61, 0x3a, 0xff]));
    expect(await run(["plan", "check", "-f", "sub/latin.yaml"])).toMatchObject({
      code: 64,
      err: expect.stringContaining("not UTF-8"),
    });
  });

  it.each([
    ["a device without an end", "/dev/zero", /more than 262144 bytes/],
    ["a name that is too long", "a".repeat(5000), /too long/],
    ["a name with U+0000", "a\0b", /U\+0000/],
  ])("refuses %s with exit code 64 and one line", async (_what, name, line) => {
    const { code, out, err } = await run(["plan", "check", "-f", name]);
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(/^continuum: [^\n]+\n$/);
    expect(err).toMatch(line);
  });

  it("reads no device that a plan names", async () => {
    const { code, err } = await run(["plan", "check", "-f", file(plan({ artifact: "file:/dev/zero" }))]);
    expect(code).toBe(64);
    expect(err).toMatch(/^continuum: not an ordinary file, .*\/spec\/model\/artifact/);
  });

  it("never runs into the rest of the machine: a plan that names a device is refused", async () => {
    const { code, err } = await run(["plan", "check", "-f", "sub"]);
    expect({ code, err }).toEqual({ code: 64, err: "continuum: a folder, the plan sub, must be a file\n" });
    expect(existsSync(join(folder, "cli.json"))).toBe(false);
  });
});

describe("plan diff --against", () => {
  it("shows what differs, leaf by leaf", async () => {
    const before = file(plan(), "before.yaml");
    const after = file(plan({ count: 2 }), "after.yaml");
    const { code, out } = await run(["plan", "diff", "-f", after, "--against", before, "-o", "json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ changes: [{ path: "/spec/compute/instanceCount", before: 1, after: 2 }] });
    expect((await run(["plan", "diff", "-f", after, "--against", after])).out).toBe("the plans are alike\n");
  });
});

describe("plan explain", () => {
  it("explains every clause that has a finding, in words of its own", async () => {
    const path = file(plan({ environment: "production" }));
    const { code, out } = await run(["plan", "explain", "-f", path, "-o", "json"]);
    const decision = JSON.parse((await run(["plan", "check", "-f", path, "-o", "json"])).out);
    expect(code).toBe(0);
    const { clauses } = JSON.parse(out);
    expect(clauses.map(({ clause }: { clause: string }) => clause)).toEqual([
      ...new Set(decision.findings.map(({ clause }: { clause: string }) => clause)),
    ]);
    for (const { title, wants, remedy } of clauses)
      expect([title, wants, remedy].every((words: string) => words.length > 5)).toBe(true);
  });
});

describe("prices show", () => {
  it("names source and date, and needs no server", async () => {
    const { code, out } = await run(["prices", "show", "-o", "json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      asOf: expect.any(String),
      source: expect.any(String),
      usdPerHour: { "ml.m5.large": 0.115 },
    });
  });
});
