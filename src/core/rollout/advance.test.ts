import { describe, expect, it } from "vitest";
import { holdsSlot } from "./phases.ts";
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
    const script = new Script(testRollout(testPlan({}, true)));
    expect(script.try({ type: "proposed", decision: decisionOf() }).entered).toEqual(["Verifying"]);
    script.happens(
      { type: "proposed", decision: decisionOf({ decision: "needs-approval", slotTaken: true }) },
      { type: "verified", refusals },
    );
    expect(script.rollout).toMatchObject({ phase: "DryRunCompleted", refusals, effectsStarted: false });
  });
});

describe("whatever comes", () => {
  it("an event of a newer version is refused", () => {
    const answer = new Script().try({ type: "teleported" } as never);
    expect(answer).toMatchObject({ accepted: false, commands: [], refusal: expect.stringContaining("teleported") });
  });

  it("time does not run backwards when a clock does", () => {
    const script = new Script()
      .happens(...TO_FIRST_BAKE)
      .later(30_000)
      .happens({ type: "paused", by: "ann" });
    script.later(-3_600_000).happens({ type: "resumed", by: "ann" });
    expect(script.rollout).toMatchObject({ seenAtMs: 30_000, clock: { runningSinceMs: 30_000, elapsedMs: 30_000 } });
    script.nowMs = Number.NaN;
    expect(script.happens({ type: "paused", by: "ann" }).rollout.seenAtMs).toBe(30_000);
  });

  it("a rollout survives being stored as JSON at any point", () => {
    const script = new Script();
    for (const step of TO_FIRST_BAKE) {
      script.happens(step);
      expect(JSON.parse(JSON.stringify(script.rollout))).toEqual(script.rollout);
    }
  });

  it("holds the endpoint's slot from admission to the end, and only then", () => {
    const script = new Script();
    const held = TO_FIRST_BAKE.map((step) => holdsSlot(script.happens(step).rollout));
    expect(held).toEqual([true, true, true, true, true, true]);
    expect(holdsSlot(testRollout())).toBe(false);
    expect(holdsSlot(script.happens({ type: "paused", by: "ann" }).rollout)).toBe(true);
    expect(holdsSlot(script.happens({ type: "abort-requested", by: "ann" }).rollout)).toBe(true);
    expect(holdsSlot(script.happens({ type: "rolled-back" }).rollout)).toBe(false);
    const queued = new Script().happens({ type: "proposed", decision: decisionOf({ slotTaken: true }) });
    expect(holdsSlot(queued.rollout)).toBe(false);
    const dry = new Script(testRollout(testPlan({}, true))).happens({ type: "proposed", decision: decisionOf() });
    expect(holdsSlot(dry.rollout)).toBe(false);
  });
});
