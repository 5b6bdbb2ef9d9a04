import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NEVER } from "../calibration/contestants/contestant.ts";
import { judgeDrift } from "../calibration/judge-drift.ts";
import { judgeRollouts, PRODUCT } from "../calibration/judge-rollouts.ts";
import { jobsOf, SIZES } from "../calibration/plan.ts";
import { type Report, rowsOf, tables } from "../calibration/report.ts";
import { calibrationReport } from "../calibration/report-of.ts";
import { runJobsHere } from "../calibration/run-jobs.ts";
import { EFFECT_WORLDS, NULL_WORLDS } from "../calibration/world.ts";

/** The calibration in little: what must hold of a few hundred rollouts, with seeds that never change. */
const SEED = 42;
const ROLLOUTS = 40;
/** Seconds of computing, which a busy machine may make minutes. */
const TIMEOUT = { timeout: 240_000 };

function alarms(part: "equal" | "effect", world: string, rollouts: number): number[] {
  const stops = judgeRollouts({ part, world, from: 0, to: rollouts, seed: SEED, peersTo: 0 });
  return (stops[PRODUCT] ?? []).filter((stop) => stop !== NEVER);
}

describe("the judge with all its metrics", TIMEOUT, () => {
  it("rolls equal arms back in no more than one rollout of a hundred", () => {
    const promised = NULL_WORLDS.filter((world) => world.promised);
    const wrong = promised.reduce((sum, { name }) => sum + alarms("equal", name, ROLLOUTS).length, 0);
    // Exact binomial test: were the chance 1 %, as many as this would be seen in at least one of a thousand tries.
    expect(chanceOfAtLeast(wrong, { of: promised.length * ROLLOUTS, each: 0.01 })).toBeGreaterThan(0.001);
  });

  it.each(["errors 1 -> 50 %", "latency x5", "scores' deviation x1.5"])("finds %s as soon as it should", (world) => {
    const target = EFFECT_WORLDS.find(({ name }) => name === world)?.target?.medianMax ?? 0;
    const stops = alarms("effect", world, 9).sort((a, b) => a - b);
    expect(stops).toHaveLength(9);
    // The median of nine lies below one and a half times that of all in all but very few cases.
    expect(stops[4]).toBeLessThan(1.5 * target);
  });

  it("finds wrong answers by their late truth", () => {
    expect(alarms("effect", "wrong answers 10 -> 30 %", 3)).toHaveLength(3);
  });
});

describe("the rules of others on the same streams", TIMEOUT, () => {
  it("fail where theirs is another promise: pooled tests in a trend with a ramp, fixed limits at any time", () => {
    const stops = judgeRollouts({
      part: "equal",
      world: "trend and ramp 5/25/50",
      from: 0,
      to: 10,
      seed: SEED,
      peersTo: 10,
    });
    const rolledBack = (rule: string) => (stops[rule] ?? []).filter((stop) => stop !== NEVER).length;
    expect(rolledBack("z-test every minute: errors")).toBeGreaterThan(5);
    expect(rolledBack("threshold as Argo (0): errors")).toBe(10);
    expect(rolledBack("Mann-Whitney as Kayenta: errors")).toBe(0);
  });

  it("are slower than the oracle that knows the effect", () => {
    const stops = judgeRollouts({
      part: "effect",
      world: "errors 1 -> 5 %",
      from: 0,
      to: 10,
      seed: SEED,
      peersTo: 10,
    });
    const mean = (rule: string) => (stops[rule] ?? []).reduce((sum, stop) => sum + stop, 0) / 10;
    expect(mean("oracle that knows the effect")).toBeLessThan(mean(PRODUCT));
  });
});

describe("the monitor's rules of drift", TIMEOUT, () => {
  it("say nothing of equal tables, and soon something of ones that drift", () => {
    const equal = judgeDrift({ part: "drift", drift: "none", columns: 20, from: 0, to: 2, seed: SEED });
    expect(equal.monitor).toEqual({ windows: [-1, -1], evidence: [-1, -1], alarm: [-1, -1] });
    const drifted = judgeDrift({ part: "drift", drift: "by .3 deviations", columns: 20, from: 0, to: 2, seed: SEED });
    for (const rows of drifted.monitor.evidence) expect(rows).toBeGreaterThan(0);
    for (const rows of drifted.monitor.evidence) expect(rows).toBeLessThan(500);
    for (const rows of drifted.monitor.alarm) expect(rows).toBe(1000);
    expect(drifted.looks["Evidently, any column"]?.["1000"]).toEqual([1, 1]);
  });
});

describe("the report", () => {
  it("has the documented shape as JSON, and a table for each world", () => {
    const jobs = jobsOf({ size: { ...SIZES.short, equal: 2, equalPeers: 1, effect: 1 }, seed: SEED, only: "half" });
    const rows = rowsOf(runJobsHere(jobs));
    const folder = mkdtempSync(join(tmpdir(), "continuum-calibration-"));
    try {
      const file = join(folder, "report.json");
      calibrationReport({ rows, seed: SEED, size: "short", seconds: 1, file });
      const report = JSON.parse(readFileSync(file, "utf8")) as Report;
      expect(Object.keys(report)).toEqual(["version", "seed", "size", "seconds", "alpha", "requests", "rows"]);
      const own = report.rows.find(({ rule }) => rule === PRODUCT);
      expect(own).toMatchObject({ part: "effect", rate: { of: 1, low: expect.any(Number), high: expect.any(Number) } });
      expect(own?.target).toBe("median <= 7000, >= 98 % found");
      expect(tables(report.rows)).toContain("rolled back because it is worse: errors 1 -> 2 %, half of traffic\n");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("gives the same result for the same seed, however the work is cut into pieces", () => {
    const whole = judgeRollouts({ part: "equal", world: "iid", from: 0, to: 4, seed: 7, peersTo: 4 });
    const halves = [0, 2].map((from) =>
      judgeRollouts({ part: "equal", world: "iid", from, to: from + 2, seed: 7, peersTo: 4 }),
    );
    for (const [rule, stops] of Object.entries(whole)) {
      expect(halves.flatMap((half) => half[rule] ?? [])).toEqual(stops);
    }
  });

  it("does only what is asked for by name", () => {
    const all = jobsOf({ size: SIZES.quick, seed: 1 });
    const only = jobsOf({ size: SIZES.quick, seed: 1, only: "drift none" });
    expect(only.length).toBeLessThan(all.length);
    expect(only.every((job) => job.part === "drift" && job.drift.startsWith("none"))).toBe(true);
    expect(jobsOf({ size: SIZES.quick, seed: 1, only: "no such world" })).toEqual([]);
  });
});

/** P(X >= hits) of a binomial. */
function chanceOfAtLeast(hits: number, { of, each }: { of: number; each: number }): number {
  let term = (1 - each) ** of;
  let below = 0;
  for (let k = 0; k < hits; k += 1) {
    below += term;
    term *= ((of - k) / (k + 1)) * (each / (1 - each));
  }
  return 1 - below;
}
