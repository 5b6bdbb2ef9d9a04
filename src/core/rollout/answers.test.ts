import { describe, expect, it } from "vitest";
import type { Command } from "./rollout.ts";
import {
  decisionOf,
  type Happening,
  Script,
  TO_FIRST_BAKE,
  testPlan,
  testRollout,
  verdictOf,
} from "./testing/rollouts.ts";

const watched = (...of: Parameters<typeof verdictOf>): Happening => ({ type: "watched", verdict: verdictOf(...of) });
const failed = (command: Command["type"]): Happening => ({ type: "command-failed", command, message: "no answer" });
const COMMANDS: Command["type"][] = [
  "verify",
  "snapshot",
  "gate",
  "provision",
  "shift",
  "watch",
  "promote",
  "rollback",
];

describe("an answer", () => {
  it.each(COMMANDS)("to %s is refused where it is not outstanding", (command) => {
    for (let events = 0; events <= TO_FIRST_BAKE.length; events += 1) {
      const script = new Script().happens(...TO_FIRST_BAKE.slice(0, events));
      if (script.rollout.pending?.command.type === command) continue;
      expect(script.refuses(failed(command))).toContain(command);
    }
  });

  it("to another shift than the outstanding one is refused", () => {
    const script = new Script().happens(...TO_FIRST_BAKE.slice(0, 5));
    expect(script.refuses({ type: "shifted", percent: 100 })).toContain("to 10 percent");
  });
});

describe("a failed command", () => {
  it.each([
    [1, "verify", "Failed"],
    [2, "snapshot", "Failed"],
    [3, "gate", "Failed"],
    [4, "provision", "RollingBack"],
    [5, "shift", "RollingBack"],
    [6, "watch", "RollingBack"],
  ] as const)("after %i events: %s leads to %s", (events, command, phase) => {
    const script = new Script().happens(...TO_FIRST_BAKE.slice(0, events), failed(command));
    expect(script.rollout).toMatchObject({
      phase,
      reason: { code: "command-failed", message: `${command} failed: no answer` },
    });
  });

  it("of the promotion rolls back", () => {
    const script = new Script(testRollout(testPlan({ strategy: "all-at-once", bakeSeconds: 0 })));
    script.happens(...TO_FIRST_BAKE.slice(0, 5), { type: "shifted", percent: 100 }, watched("pass"), failed("promote"));
    expect(script.rollout.phase).toBe("RollingBack");
  });

  it("of the rollback ends in Failed, loudly, with the first cause kept", () => {
    const script = new Script().happens(...TO_FIRST_BAKE, watched("fail", "health"), failed("rollback"));
    expect(script.rollout).toMatchObject({
      phase: "Failed",
      reason: {
        code: "command-failed",
        message: "rollback failed: no answer; it was rolling back because: health: fail.",
        cause: { code: "health", message: "health: fail." },
      },
    });
  });

  it("of a dry run's verification fails it", () => {
    const script = new Script(testRollout(testPlan({}, true))).happens({ type: "proposed", decision: decisionOf() });
    expect(script.happens(failed("verify")).rollout.phase).toBe("Failed");
  });
});

describe("gates", () => {
  const refusals = [{ clause: "CP-5", message: "No test evidence." }];
  it("that refuse before the first effect end in Denied", () => {
    const verify = new Script().happens(...TO_FIRST_BAKE.slice(0, 1), { type: "verified", refusals });
    const gate = new Script().happens(...TO_FIRST_BAKE.slice(0, 3), { type: "gate-refused", refusals });
    for (const { rollout } of [verify, gate]) {
      expect(rollout).toMatchObject({ phase: "Denied", refusals, effectsStarted: false, reason: { code: "policy" } });
    }
  });
});

describe("a verdict", () => {
  const baking = () => new Script().happens(...TO_FIRST_BAKE).later(60_000);

  it("of pass before the bake is over does not move traffic", () => {
    const script = new Script()
      .happens(...TO_FIRST_BAKE)
      .later(59_999)
      .happens(watched("pass"));
    expect(script.rollout.pending?.command).toEqual({ type: "watch", percent: 10, untilMs: 60_000, mode: "bake" });
    expect(script.later(1).happens(watched("pass")).rollout.phase).toBe("Shifting");
  });

  it.each(["inconclusive", "error"] as const)("of %s holds, and passes later", (outcome) => {
    const script = baking().happens(watched(outcome));
    const quiet = { known: `${outcome} errors=${outcome}`, untilMs: 599_000 };
    expect(script.rollout.pending?.command).toEqual({
      type: "watch",
      percent: 10,
      untilMs: 75_000,
      mode: "bake",
      quiet,
    });
    expect(script.later(15_000).happens(watched("pass")).rollout.phase).toBe("Shifting");
  });

  it("that is known is kept back in a pause as well, and a pass that ends a bake never is", () => {
    const script = baking().happens(watched("inconclusive"), { type: "paused", by: "ann" });
    const known = { known: "inconclusive errors=inconclusive", untilMs: null };
    expect(script.rollout.pending?.command).toMatchObject({ mode: "guard", quiet: known });
    script.later(600_000).happens(watched("pass"));
    expect(script.rollout.pending?.command).toMatchObject({ mode: "guard", quiet: { known: "pass errors=pass" } });
    expect(script.happens({ type: "resumed", by: "ann" }).rollout.pending?.command).not.toHaveProperty("quiet");
  });

  it.each(["inconclusive", "error"] as const)("of %s rolls back at the deadline, and says both", (outcome) => {
    const script = baking().happens(watched(outcome, "traffic")).later(540_000);
    expect(script.rollout.wakeAtMs).toBe(600_000);
    script.happens({ type: "tick" });
    expect(script.rollout).toMatchObject({ phase: "RollingBack", reason: { code: "inconclusive" } });
    expect(script.rollout.reason?.message).toBe(
      `The deadline of 600 s passed in Baking. The last verdict was ${outcome}: traffic: ${outcome}.`,
    );
  });

  it("of an earlier share of traffic is not blamed for a later deadline", () => {
    const script = baking().happens(watched("inconclusive"), { type: "promote-requested", by: "ann" }).later(540_000);
    expect(script.happens({ type: "tick" }).rollout.reason?.code).toBe("deadline");
  });

  it("of inconclusive is enough for a restore, which goes to 100 percent at once; of error it is not", () => {
    const restores = { rollout: "r-0", snapshotSha256: "e".repeat(64) };
    const atEnd = (outcome: "inconclusive" | "error") =>
      new Script({ ...testRollout(), restores })
        .happens(...TO_FIRST_BAKE.slice(0, -1))
        .happens({ type: "shifted", percent: 100 })
        .later(60_000)
        .happens(watched(outcome, "traffic"));
    expect(atEnd("inconclusive").rollout.phase).toBe("Promoting");
    expect(atEnd("error").rollout.phase).toBe("Baking");
  });

  it("of fail names the metric that failed", () => {
    const metrics = [...verdictOf("error", "measurement").metrics, ...verdictOf("fail", "latency").metrics];
    const script = baking().happens({ type: "watched", verdict: { outcome: "fail", metrics } });
    expect(script.rollout.reason).toEqual({ code: "verdict", message: "latency: fail." });
  });

  it("of failing health is told apart", () => {
    expect(baking().happens(watched("fail", "health")).rollout.reason?.code).toBe("health");
  });
});

describe("the deadline", () => {
  it.each([
    [1, "Failed"],
    [2, "Failed"],
    [3, "Failed"],
    [4, "RollingBack"],
    [5, "RollingBack"],
    [6, "RollingBack"],
  ] as const)("after %i events leads to %s by a tick, and by an answer that comes too late", (events, phase) => {
    const late = () => new Script().happens(...TO_FIRST_BAKE.slice(0, events)).later(600_000);
    const answer = TO_FIRST_BAKE[events] ?? watched("pass");
    for (const happening of [{ type: "tick" } as const, answer]) {
      expect(late().happens(happening).rollout).toMatchObject({ phase, reason: { code: "deadline" } });
    }
  });

  it("refuses to cut a bake short once it has passed", () => {
    const script = new Script().happens(...TO_FIRST_BAKE).later(600_000);
    expect(script.refuses({ type: "promote-requested", by: "ann" })).toContain("deadline");
  });

  it("does not undo a promotion that is done, but stops one that is not", () => {
    const promoting = () => {
      const script = new Script(testRollout(testPlan({ strategy: "all-at-once", bakeSeconds: 0 })));
      script.happens(...TO_FIRST_BAKE.slice(0, 5), { type: "shifted", percent: 100 }, watched("pass"));
      return script.later(600_000);
    };
    expect(promoting().happens({ type: "promoted" }).rollout.phase).toBe("Succeeded");
    expect(promoting().happens({ type: "tick" }).rollout.phase).toBe("RollingBack");
  });

  it("does not hurry a rollback", () => {
    const script = new Script().happens(...TO_FIRST_BAKE, watched("fail")).later(86_400_000);
    expect(script.rollout.wakeAtMs).toBeNull();
    expect(script.refuses({ type: "tick" })).toBe("Nothing is due.");
    expect(script.happens({ type: "rolled-back" }).rollout.phase).toBe("RolledBack");
  });
});

describe("a linear rollout", () => {
  it("bakes at every step, a last one that does not divide included", () => {
    const script = new Script(testRollout(testPlan({ strategy: "linear", stepPercent: 40, bakeSeconds: 1 })));
    script.happens(...TO_FIRST_BAKE.slice(0, 5));
    const percents: number[] = [];
    while (script.rollout.pending?.command.type === "shift") {
      const { percent } = script.rollout.pending.command;
      percents.push(percent);
      script.happens({ type: "shifted", percent }).later(1_000).happens(watched("pass"));
    }
    expect(percents).toEqual([40, 80, 100]);
    expect(script.rollout.phase).toBe("Promoting");
  });
});
