import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const BIN = fileURLToPath(new URL("../../bin/continuum.js", import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-bin-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the program as a user would: its own process, with a home and a folder of the test's. */
function continuum(
  argv: string[],
  options: { stdin?: string; closeEarly?: true } = {},
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [BIN, ...argv], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
    if (options.closeEarly) child.stdout.destroy();
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  child.stdin.end(options.stdin ?? "");
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

function plan(instanceType: string): string {
  return [
    "apiVersion: continuum/v1",
    "kind: DeploymentPlan",
    "metadata: { name: churn }",
    "spec:",
    "  environment: development",
    '  model: { name: churn, version: 1.0.0, artifact: "file:./model.onnx" }',
    `  compute: { instanceType: ${instanceType} }`,
    "  rollback: { alarms: [ModelMonitorAlarm, DataDriftAlarm] }",
    "",
  ].join("\n");
}

describe("the program as it is installed", () => {
  it("shows its help and its version", async () => {
    const { code, out } = await continuum(["--help"]);
    expect(code).toBe(0);
    expect(out.replace(/\s+/g, " ")).toContain("Check, submit, compare and explain deployment plans");
    expect((await continuum(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("decides a plan from a pipe without a server, and its exit code is the decision's", async () => {
    writeFileSync(join(folder, "model.onnx"), "a model");
    expect(await continuum(["plan", "check", "-f", "-"], { stdin: plan("ml.m5.large") })).toMatchObject({
      code: 0,
      err: "",
    });
    const denied = await continuum(["plan", "check", "-f", "-", "-o", "json"], { stdin: plan("ml.g5.xlarge") });
    expect(denied.code).toBe(2);
    expect(JSON.parse(denied.out)).toMatchObject({
      decision: "deny",
      findings: [{ clause: "AO-1", level: "deny" }, {}, {}, {}, {}],
    });
  });

  it("answers malformed input with 64 and one line, and no server with 69", async () => {
    const malformed = await continuum(["plan", "check", "-f", "-"], { stdin: "a: &x 1\nb: *x\n" });
    expect(malformed).toMatchObject({ code: 64, out: "", err: expect.stringMatching(/^continuum: [^\n]+\n$/) });
    const unreachable = await continuum(["rollout", "list", "--url", "http://127.0.0.1:9"]);
    expect(unreachable).toMatchObject({
      code: 69,
      out: "",
      err: expect.stringMatching(/^continuum: cannot reach [^\n]+\n$/),
    });
  });

  it("ends in silence when its reader goes away", async () => {
    expect(await continuum(["config", "schema"], { closeEarly: true })).toMatchObject({ code: 0, err: "" });
  });
});
