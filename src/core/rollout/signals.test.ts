import { describe, expect, it } from "vitest";
import { type Action, allowedActions } from "./allowed-actions.ts";
import type { Rollout } from "./rollout.ts";
import {
  decisionOf,
  type Happening,
  needOf,
  Script,
  TO_FIRST_BAKE,
  testPlan,
  testRollout,
  verdictOf,
} from "./testing/rollouts.ts";

const proposed: Happening = { type: "proposed", decision: decisionOf() };
const awaiting: Happening = {
  type: "proposed",
  decision: decisionOf({ decision: "needs-approval", needs: [needOf("approver")] }),
};
const queued: Happening = { type: "proposed", decision: decisionOf({ slotTaken: true }) };
const paused: Happening = { type: "paused", by: "ann" };
const pass: Happening = { type: "watched", verdict: verdictOf("pass") };

/** Every situation a rollout can be in, by the events that lead there. */
const SITUATIONS = {
  Proposed: [],
  AwaitingApproval: [awaiting],
  Queued: [queued],
  Verifying: TO_FIRST_BAKE.slice(0, 1),
  Snapshotting: TO_FIRST_BAKE.slice(0, 2),
  Gate: TO_FIRST_BAKE.slice(0, 3),
  Provisioning: TO_FIRST_BAKE.slice(0, 4),
  Shifting: TO_FIRST_BAKE.slice(0, 5),
  Baking: TO_FIRST_BAKE,
  "Paused before effects": [proposed, paused, { type: "verified", refusals: [] }],
  "Paused before traffic": [...TO_FIRST_BAKE.slice(0, 4), paused, { type: "provisioned" }],
  "Paused bake": [...TO_FIRST_BAKE, paused],
  RollingBack: [...TO_FIRST_BAKE, { type: "rollback-requested", by: "ann" }],
  Aborted: [proposed, { type: "abort-requested", by: "ann" }],
} satisfies Record<string, Happening[]>;
type Situation = keyof typeof SITUATIONS | "Promoting";

function inSituation(situation: Situation): Script {
  if (situation !== "Promoting") return new Script().happens(...SITUATIONS[situation]);
  const script = new Script(testRollout(testPlan({ strategy: "all-at-once" })));
  return script
    .happens(...TO_FIRST_BAKE.slice(0, 5), { type: "shifted", percent: 100 })
    .later(60_000)
    .happens(pass);
}

const SIGNALS: Record<Exclude<Action, "approve"> | "alarm" | "dequeue" | "tick", Happening> = {
  reject: { type: "rejected", by: "ann" },
  pause: paused,
  resume: { type: "resumed", by: "ann" },
  promote: { type: "promote-requested", by: "ann" },
  abort: { type: "abort-requested", by: "ann" },
  rollback: { type: "rollback-requested", by: "ann" },
  supersede: { type: "superseded", by: "r-2" },
  alarm: { type: "alarm", name: "DataDriftAlarm", message: "PSI 0.4" },
  dequeue: { type: "dequeued", admission: { ok: true, slotTaken: false } },
  tick: { type: "tick" },
};

/** Where each signal leads from each situation; `-` is a refusal. Columns in the order of SIGNALS. */
const TABLE: [Situation, string][] = [
  //                        reject   pause            resume      promote   abort       rollback    supersede   alarm       dequeue   tick
  [
    "Proposed",
    "              Rejected Proposed         -           -         Aborted     -           Superseded  -           -         -",
  ],
  [
    "AwaitingApproval",
    "      Rejected AwaitingApproval -           -         Aborted     -           Superseded  -           -         -",
  ],
  [
    "Queued",
    "                -        Queued           -           -         Aborted     -           Superseded  -           Verifying -",
  ],
  [
    "Verifying",
    "             -        Verifying        -           -         Aborted     -           Superseded  -           -         -",
  ],
  [
    "Snapshotting",
    "          -        Snapshotting     -           -         Aborted     -           Superseded  -           -         -",
  ],
  [
    "Gate",
    "                  -        Snapshotting     -           -         Aborted     -           Superseded  -           -         -",
  ],
  [
    "Provisioning",
    "          -        Provisioning     -           -         RollingBack RollingBack RollingBack RollingBack -         -",
  ],
  [
    "Shifting",
    "              -        Shifting         -           -         RollingBack RollingBack RollingBack RollingBack -         -",
  ],
  [
    "Baking",
    "                -        Paused           -           Shifting  RollingBack RollingBack RollingBack RollingBack -         -",
  ],
  [
    "Paused before effects",
    " -        -                Snapshotting -        Aborted     -           Superseded  -           -         -",
  ],
  [
    "Paused before traffic",
    " -        -                Shifting    -         RollingBack RollingBack RollingBack RollingBack -         -",
  ],
  [
    "Paused bake",
    "           -        -                Baking      Shifting  RollingBack RollingBack RollingBack RollingBack -         -",
  ],
  [
    "Promoting",
    "             -        -                -           -         RollingBack RollingBack RollingBack RollingBack -         -",
  ],
  [
    "RollingBack",
    "           -        -                -           -         -           -           -           -           -         -",
  ],
  [
    "Aborted",
    "               -        -                -           -         -           -           -           -           -         -",
  ],
];

describe.each(TABLE)("in %s", (situation, row) => {
  const expected = row.trim().split(/\s+/);
  it.each(Object.keys(SIGNALS).map((signal, column) => [signal, expected[column]] as const))(
    "%s -> %s",
    (signal, to) => {
      const script = inSituation(situation);
      const happening = SIGNALS[signal as keyof typeof SIGNALS];
      if (to === "-") expect(script.refuses(happening)).toMatch(/^[A-Z].*\.$/);
      else expect(script.happens(happening).rollout.phase).toBe(to);
    },
  );

  it("offers exactly the actions that are accepted", () => {
    const actions = Object.entries(SIGNALS).filter(([signal]) => !["alarm", "dequeue", "tick"].includes(signal));
    const offered: string[] = allowedActions(inSituation(situation).rollout).filter((action) => action !== "approve");
    expect(offered).toEqual(actions.filter((_, column) => expected[column] !== "-").map(([signal]) => signal));
  });
});

describe("a pause", () => {
  it("takes hold when the outstanding command has answered", () => {
    const script = new Script().happens(...TO_FIRST_BAKE.slice(0, 5), paused);
    expect(script.rollout).toMatchObject({ phase: "Shifting", pauseRequested: true });
    script.happens({ type: "shifted", percent: 10 });
    expect(script.rollout).toMatchObject({
      phase: "Paused",
      pauseRequested: false,
      resume: { phase: "Baking", bakedMs: 0 },
    });
  });

  it("is forgotten when it is taken back before it took hold", () => {
    const script = new Script().happens(...TO_FIRST_BAKE.slice(0, 5), paused, { type: "resumed", by: "ann" });
    expect(script.happens({ type: "shifted", percent: 10 }).rollout.phase).toBe("Baking");
  });

  it("asked for before admission holds the rollout at its first step, with the slot but off the clock", () => {
    const script = new Script().happens(paused, queued).happens(SIGNALS.dequeue);
    expect(script.rollout).toMatchObject({
      phase: "Paused",
      pending: null,
      clock: { runningSinceMs: null },
      wakeAtMs: null,
    });
    script.later(3_600_000).happens({ type: "resumed", by: "ann" });
    expect(script.rollout).toMatchObject({ phase: "Verifying", clock: { runningSinceMs: 3_600_000, elapsedMs: 0 } });
  });

  it("keeps the part of the bake that was served, and stops the clock", () => {
    const script = new Script()
      .happens(...TO_FIRST_BAKE)
      .later(40_000)
      .happens(paused)
      .later(500_000);
    script.happens({ type: "resumed", by: "ann" });
    expect(script.rollout.pending?.command).toEqual({ type: "watch", percent: 10, untilMs: 560_000, mode: "bake" });
    expect(script.rollout.wakeAtMs).toBe(540_000 + 600_000 - 40_000);
  });

  it("of a bake that was over and undecided asks for the verdict at once when it ends", () => {
    const script = new Script().happens(...TO_FIRST_BAKE).later(60_000);
    script
      .happens({ type: "watched", verdict: verdictOf("inconclusive") })
      .later(5_000)
      .happens(paused)
      .later(1_000);
    expect(script.happens({ type: "resumed", by: "ann" }).rollout.pending?.command).toMatchObject({ untilMs: 66_000 });
  });

  it("is asked for once", () => {
    expect(new Script().happens(proposed, paused).refuses(paused)).toContain("already");
  });

  it("goes on guarding the candidate: a failure rolls back, everything else is watched again", () => {
    const script = new Script().happens(...TO_FIRST_BAKE, paused);
    expect(script.rollout.pending?.command).toMatchObject({ type: "watch", mode: "guard", percent: 10 });
    for (const outcome of ["pass", "inconclusive", "error"] as const) {
      script.later(600_000).happens({ type: "watched", verdict: verdictOf(outcome) });
      expect(script.rollout.phase).toBe("Paused");
      expect(script.rollout.pending).toMatchObject({ sequence: script.rollout.sequence, command: { mode: "guard" } });
    }
    script.happens({ type: "watched", verdict: verdictOf("fail") });
    expect(script.rollout).toMatchObject({ phase: "RollingBack", resume: null });
  });

  it("before the first effect takes the snapshot and the gate again: both may be days old", () => {
    const script = new Script().happens(...TO_FIRST_BAKE.slice(0, 3), paused, { type: "gate-passed" });
    expect(script.rollout).toMatchObject({ phase: "Paused", resume: { phase: "Snapshotting" }, snapshot: null });
    script.happens({ type: "resumed", by: "ann" });
    expect(script.rollout.pending?.command).toEqual({ type: "snapshot" });
  });

  it("does not save a rollout that a gate refuses", () => {
    const refusals = [{ clause: "CP-5", message: "No test evidence." }];
    const script = new Script().happens(...TO_FIRST_BAKE.slice(0, 3), paused, { type: "gate-refused", refusals });
    expect(script.rollout).toMatchObject({ phase: "Denied", refusals, pauseRequested: false });
  });

  it("is no matter for a dry run", () => {
    const script = new Script(testRollout(testPlan({}, true))).happens(proposed);
    expect(script.refuses(paused)).toContain("dry run");
    const early = new Script().happens(paused, { type: "proposed", decision: decisionOf({ dryRun: true }) });
    expect(early.rollout).toMatchObject({ phase: "Verifying", dryRun: true, pauseRequested: false });
  });
});

describe("giving up", () => {
  const cases: [Happening, Rollout["reason"]][] = [
    [SIGNALS.abort, { code: "aborted", message: "Aborted by ann." }],
    [SIGNALS.supersede, { code: "superseded", message: "Superseded by r-2." }],
    [SIGNALS.rollback, { code: "requested", message: "Rolled back by ann." }],
    [SIGNALS.alarm, { code: "alarm", message: "DataDriftAlarm: PSI 0.4" }],
  ];
  it.each(cases)("keeps the reason of %j to the end", (signal, reason) => {
    const script = new Script().happens(...TO_FIRST_BAKE, signal, { type: "rolled-back" });
    expect(script.rollout).toMatchObject({ phase: "RolledBack", reason });
  });

  it("replaces the outstanding command, whose late answer is refused", () => {
    const script = new Script().happens(...TO_FIRST_BAKE.slice(0, 4), SIGNALS.abort);
    expect(script.rollout.pending).toEqual({ sequence: 5, command: { type: "rollback" } });
    expect(script.refuses({ type: "provisioned" })).toContain("provision");
  });

  it("ignores an alarm that the plan does not name", () => {
    const script = new Script().happens(...TO_FIRST_BAKE);
    expect(script.refuses({ type: "alarm", name: "Weather", message: "rain" })).toContain("Weather");
  });
});
