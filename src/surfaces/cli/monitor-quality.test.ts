import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runForTest } from "./testing/run-for-test.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-quality-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** 400 rows of which each tenth is wrong; `wrong` more of the women are. */
function table(file: string, wrong = 0): void {
  const rows = Array.from({ length: 400 }, (_, i) => {
    const label = i % 4 < 2 ? 1 : 0;
    const isWrong = i % 10 === 0 || (i % 2 === 1 && i % 100 < wrong);
    const p = isWrong ? 1 - label : label;
    return `${label},${0.1 + 0.8 * p},${i % 2 === 0 ? "m" : "f"},${i % 3},${i % 7}`;
  });
  writeFileSync(join(folder, file), `y,p,sex,region,age\n${rows.join("\n")}\n`);
}
const run = (file: string, ...more: string[]) =>
  runForTest(["monitor", "quality", "-f", file, "--label", "y", "--probability", "p", ...more], { folder });
const BIAS = ["--facet", "sex", "--favoured", "m", "--group", "region"];
const written = (...path: string[]) => JSON.parse(readFileSync(join(folder, ...path), "utf8"));

describe("monitor quality", () => {
  it("measures a table, writes SageMaker's files, and finds what is worse than them", async () => {
    table("before.csv");
    const made = await run("before.csv", ...BIAS, "--report", "base");
    expect(made.code).toBe(0);
    expect(made.out).toMatch(/accuracy +0\.9 /);
    expect(made.out).toContain("400 labelled answers");
    expect(written("base", "statistics.json").binary_classification_metrics.accuracy.value).toBe(0.9);
    expect(written("base", "constraints.json").binary_classification_constraints.accuracy).toEqual({
      ...{ threshold: 0.9, comparison_operator: "LessThanThreshold" },
    });
    expect(written("base", "analysis.json").version).toBe("1.0");

    expect((await run("before.csv", ...BIAS, "--baseline", "base")).code).toBe(0);
    table("after.csv", 60);
    const worse = await run("after.csv", ...BIAS, "--baseline", "base", "--report", "now", "-o", "json");
    expect(worse.code).toBe(2);
    const names = JSON.parse(worse.out).violations.map(({ metric_name: name }: { metric_name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["accuracy", "AD"]));
    expect(written("now", "constraint_violations.json").violations).toHaveLength(names.length);
  });

  it.each([
    [["--facet", "sex"], "no favoured value"],
    [["--facet", "nothing", "--favoured", "m"], 'no column "nothing"'],
    [["--baseline", "nowhere"], "nowhere"],
  ])("takes %j for a mistake", async (more, said) => {
    table("before.csv");
    const { code, err } = await run("before.csv", ...more);
    expect(code).toBe(64);
    expect(err).toContain(said);
  });
});
