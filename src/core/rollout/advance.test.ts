import { describe, expect, it } from "vitest";
import { decisionOf, Script, TO_FIRST_BAKE, testPlan, testRollout, verdictOf } from "./testing/rollouts.ts";

const pass = { type: "watched", verdict: verdictOf("pass") } as const;

describe("the main path", () => {
  it("leads a canary from its proposal to success", () => {
    const script = new Script();
    const seen: unknown[] = [];
    const steps = [
      ...TO_FIRST_BAKE,
      pass,
      { type: "shifted", percent: 100 } as const,
      pass,
      { type: "promoted" } as const,
    ];
    for (const step of steps) {
      if (step.type === "watched") script.later(60_000);
      const { entered, commands } = script.try(step);
      seen.push([...entered, commands.map(({ type }) => type).join()]);
      script.happens(step);
    }
    expect(seen).toEqual([
      ["Admitted", "Verifying", "verify"],
      ["Snapshotting", "snapshot"],
      ["gate"],
      ["Provisioning", "provision"],
      ["Shifting", "shift"],
      ["Baking", "watch"],
      ["Shifting", "shift"],
      ["Baking", "watch"],
      ["Promoting", "promote"],
      ["Succeeded", ""],
    ]);
    expect(script.rollout).toMatchObject({ weightPercent: 100, sequence: 10, reason: null, wakeAtMs: null });
  });

  it("sends an endpoint's first version to 100 percent at once", () => {
    const script = new Script().happens(
      { type: "proposed", decision: decisionOf() },
      { type: "verified", refusals: [] },
      { type: "snapshot-taken", sha256: "d".repeat(64), empty: true },
      { type: "gate-passed" },
      { type: "provisioned" },
    );
    expect(script.rollout.pending?.command).toEqual({ type: "shift", percent: 100 });
    script.happens({ type: "shifted", percent: 100 }).later(60_000).happens(pass);
    expect(script.rollout.phase).toBe("Promoting");
  });

  it("rolls a failing canary back and says why", () => {
    const script = new Script().happens(...TO_FIRST_BAKE, { type: "watched", verdict: verdictOf("fail") });
    expect(script.rollout).toMatchObject({
      phase: "RollingBack",
      reason: { code: "verdict", message: "errors: fail." },
    });
    script.happens({ type: "rolled-back" });
    expect(script.rollout).toMatchObject({ phase: "RolledBack", weightPercent: 0, reason: { code: "verdict" } });
  });

  it("completes a dry run after verification, with what a live one would still need", () => {
    const refusals = [{ clause: "CP-5", message: "No test evidence." }];
    const script = new Script(testRollout(testPlan({}, true))).happens(
      { type: "proposed", decision: decisionOf({ decision: "needs-approval", slotTaken: true }) },
      { type: "verified", refusals },
    );
    expect(script.rollout).toMatchObject({ phase: "DryRunCompleted", refusals, effectsStarted: false });
  });
});
