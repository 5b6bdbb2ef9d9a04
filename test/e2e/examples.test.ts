import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { checkBaseline } from "../../src/engine/baseline-check.ts";
import { trainModels } from "../../src/quickstart/training/train-models.ts";
import { runForTest } from "../../src/surfaces/cli/testing/run-for-test.ts";
import { monitoredExample } from "./testing/monitored-example.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));

let folder: string;
let monitored: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-examples-"));
  cpSync(join(EXAMPLES, "first-plan"), folder, { recursive: true });
  monitored = join(folder, "monitored");
  cpSync(join(EXAMPLES, "monitored-plan"), monitored, { recursive: true });
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

describe("examples/monitored-plan", () => {
  const LABELS = ["churned", "probability", "age_group"].flatMap((column) => ["--label", column]);
  const inExample = (...argv: string[]) => runForTest(argv, { folder: monitored });
  const text = (file: string) => readFileSync(join(monitored, file), "utf8");

  it("has a plan that is allowed, with a monitor of everything and a baseline that fits the model", async () => {
    const { code, out } = await inExample("plan", "check", "-f", "plan.yaml", "-o", "json");
    expect({ code, denied: denied(out) }).toEqual({ code: 0, denied: [] });
    const { monitor } = parse(text("plan.yaml")).spec;
    expect(Object.keys(monitor)).toEqual(["baseline", "dataDrift", "modelQuality", "bias", "watch"]);
    const [model, baseline] = ["model.onnx", "train.csv"].map((file) => readFileSync(join(monitored, file)));
    const given = { model: model ?? Buffer.of(), baseline: baseline ?? Buffer.of(), monitor };
    expect(await checkBaseline(given as never)).toEqual({ fits: true });
  });

  it("has the model and the tables that are drawn for it, and no others", () => {
    const { model, tables } = monitoredExample();
    expect(readFileSync(join(monitored, "model.onnx")).equals(model)).toBe(true);
    for (const [file, table] of Object.entries(tables)) expect([file, text(file) === table]).toEqual([file, true]);
  });

  it("has the baseline that the command makes of its table", async () => {
    expect(await inExample("monitor", "baseline", "-f", "train.csv", ...LABELS, "-o", "./made")).toMatchObject({
      code: 0,
    });
    for (const file of ["statistics.json", "constraints.json"])
      expect([file, JSON.parse(text(`made/${file}`))]).toEqual([file, JSON.parse(text(`baseline/${file}`))]);
  });

  it("finds nothing in the table of today, and the column that is wrong in the one that is shifted", async () => {
    const check = (file: string) =>
      inExample("monitor", "check", "-f", file, "--baseline", "./baseline", ...LABELS, "--report", `${file}.json`);
    expect(await check("today.csv")).toMatchObject({ code: 0 });
    expect(await check("shifted.csv")).toMatchObject({ code: 2 });
    expect(JSON.parse(text("shifted.csv.json")).violations).toMatchObject([
      { feature_name: "balance", constraint_check_type: "baseline_drift_check" },
    ]);
  });

  it("has answers whose quality and bias are measured", async () => {
    const { code, out } = await inExample(
      ...["monitor", "quality", "-f", "today.csv", "--label", "churned", "--probability", "probability"],
      ...["--facet", "age_group", "--favoured", "from-40"],
    );
    expect({ code, lines: out.match(/^(auc|DPPL) +-?0\.\d+ /gm)?.length }).toEqual({ code: 0, lines: 2 });
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
