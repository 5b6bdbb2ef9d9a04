import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkBaseline } from "../../src/engine/baseline-check.ts";
import { trainModels } from "../../src/quickstart/training/train-models.ts";
import { runForTest } from "../../src/surfaces/cli/testing/run-for-test.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-examples-"));
  cpSync(join(EXAMPLES, "first-plan"), folder, { recursive: true });
  cpSync(join(EXAMPLES, "simulated-plan", "plan.yaml"), join(folder, "simulated.yaml"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As the example's reader would run it. In this process: that the installed program starts, another test sees. */
async function continuum(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, out, err } = await runForTest(argv, { folder });
  return { code, out, err };
}

function denied(text: string): string[] {
  const { findings } = JSON.parse(text) as { findings: { clause: string; level: string }[] };
  return findings.filter(({ level }) => level === "deny").map(({ clause }) => clause);
}

describe("examples/first-plan", () => {
  it("has a plan that is allowed, by its own policies too", async () => {
    const { code, out } = await continuum("plan", "check", "-f", "plan.yaml", "--policy", "policies", "-o", "json");
    expect({ code, denied: denied(out) }).toEqual({ code: 0, denied: [] });
  });

  it("has a plan that is refused as its comment says, and a fix that leaves only what nobody can guess", async () => {
    const check = ["plan", "check", "--policy", "policies", "-o", "json"];
    const refused = await continuum(...check, "-f", "refused.yaml", "--fix", "fixed.yaml");
    expect({ code: refused.code, denied: denied(refused.out) }).toEqual({
      code: 2,
      denied: ["AO-1", "AO-8", "ACME-1", "ACME-2"],
    });
    const fixed = await continuum(...check, "-f", "fixed.yaml");
    expect({ code: fixed.code, denied: denied(fixed.out) }).toEqual({ code: 2, denied: ["ACME-1"] });
  });

  it("has policies without a mistake, each of them tested in both directions", async () => {
    expect(await continuum("policy", "lint", "policies")).toEqual({ code: 0, out: "nothing is wrong\n", err: "" });
    expect(await continuum("policy", "test", "policies")).toMatchObject({ code: 0, out: "7 of 7 cases hold\n" });
  });

  it("has the model that the quickstart trains, and no other", () => {
    const csv = readFileSync(join(EXAMPLES, "quickstart", "data", "breast-cancer.csv"), "utf8");
    expect(readFileSync(join(folder, "model.onnx")).equals(trainModels(csv, 7).v1.onnx)).toBe(true);
  });

  it("has plans for staging and production, of which production waits for a person", async () => {
    for (const [file, code] of [
      ["staging.yaml", 0],
      ["production.yaml", 3],
    ] as const) {
      const checked = await continuum("plan", "check", "-f", file, "-o", "json");
      expect({ file, code: checked.code, denied: denied(checked.out) }).toEqual({ file, code, denied: [] });
    }
  });

  it("has a baseline that fits the model, by its columns and by its groups", async () => {
    const [model, baseline] = ["model.onnx", "baseline.csv"].map((file) => readFileSync(join(folder, file)));
    const monitor = { modelQuality: { label: "malignant" }, bias: { facet: "size_group" } };
    const given = { model: model ?? Buffer.of(), baseline: baseline ?? Buffer.of(), monitor };
    expect(await checkBaseline(given as never)).toEqual({ fits: true });
  });
});

describe("examples/simulated-plan", () => {
  it("reports that it is compliant, and says that for real two people would have to approve", async () => {
    const { code, out } = await continuum("plan", "check", "-f", "simulated.yaml", "-o", "json");
    const { decision, simulation, report, live } = JSON.parse(out);
    expect({ code, decision, simulation, report }).toEqual({
      ...{ code: 0, decision: "allow", simulation: true, report: "COMPLIANT" },
    });
    expect(live).toMatchObject({ decision: "needs-approval" });
    expect(live.obligations.flatMap(({ role }: { role?: string }) => role ?? []).toSorted()).toEqual([
      "approver",
      "budget-owner",
    ]);
  });
});
