import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Verdict } from "../monitor/verdict.ts";
import { advance } from "./advance.ts";
import { type Action, allowedActions } from "./allowed-actions.ts";
import { bakePercents } from "./bake-percents.ts";
import { brokenInvariants } from "./invariants.ts";
import { holdsSlot, isTerminal } from "./phases.ts";
import type { Command, Rollout, RolloutEvent } from "./rollout.ts";
import { decisionOf, type Happening, needOf, testPlan, testRollout, verdictOf } from "./testing/rollouts.ts";
import { verdictMark } from "./verdict-mark.ts";

/** What a target holds, told only by the commands that were carried out: the model that every end is checked against. */
interface World {
  stable: boolean;
  candidate: boolean;
  percent: number;
  touched: boolean;
}

type Choice =
  | { kind: "answer"; fails: boolean; half: boolean; outcome: Verdict["outcome"]; refuses: boolean }
  | { kind: "stray"; type: Command["type"] }
  | { kind: "signal"; happening: Happening }
  | { kind: "wait"; ms: number };

const outcome = fc.constantFrom<Verdict["outcome"][]>("pass", "pass", "pass", "inconclusive", "error", "fail");
const approver = fc.constantFrom("ann", "bob", "agent-1");
const signal: fc.Arbitrary<Happening> = fc.oneof(
  fc.constantFrom<Happening[]>(
    { type: "paused", by: "ann" },
    { type: "resumed", by: "ann" },
    { type: "promote-requested", by: "ann" },
    { type: "abort-requested", by: "ann" },
    { type: "rollback-requested", by: "ann" },
    { type: "superseded", by: "r-2" },
    { type: "superseded", by: "ann", why: "policy" },
    { type: "rejected", by: "ann" },
    { type: "alarm", name: "DataDriftAlarm", message: "PSI 0.4" },
    { type: "alarm", name: "Weather", message: "rain" },
    { type: "tick" },
    { type: "dequeued", admission: { ok: true, slotTaken: false } },
    { type: "dequeued", admission: { ok: true, slotTaken: true } },
    { type: "proposed", decision: decisionOf() },
  ),
  fc.record({
    type: fc.constant("approved" as const),
    approval: fc.record({
      approver,
      role: fc.constantFrom("approver" as const, "budget-owner" as const, "break-glass" as const),
      mfa: fc.boolean(),
      signed: fc.boolean(),
      atMs: fc.constant(0),
    }),
    admission: fc.record({ ok: fc.constant(true as const), slotTaken: fc.boolean() }),
  }),
);
const answer = fc.record({
  kind: fc.constant("answer" as const),
  fails: fc.nat(9).map((n) => n === 0),
  half: fc.boolean(),
  refuses: fc.nat(9).map((n) => n === 0),
  outcome,
});
const choice: fc.Arbitrary<Choice> = fc.oneof(
  { weight: 6, arbitrary: answer },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("stray" as const),
      type: fc.constantFrom<Command["type"][]>("verify", "provision", "shift", "watch", "promote", "rollback"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("signal" as const), happening: signal }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 200_000 }) }) },
);
const start = fc.record({
  strategy: fc.constantFrom("all-at-once" as const, "canary" as const, "linear" as const),
  stepPercent: fc.integer({ min: 1, max: 100 }),
  bakeSeconds: fc.integer({ min: 0, max: 120 }),
  deadlineSeconds: fc.integer({ min: 1, max: 900 }),
  dryRun: fc.nat(9).map((n) => n === 0),
  stable: fc.boolean(),
  slotTaken: fc.boolean(),
  needsApproval: fc.nat(4).map((n) => n === 0),
  restore: fc.boolean(),
});
type Start = typeof start extends fc.Arbitrary<infer T> ? T : never;

/** One life: random choices first; then time passes, people answer what waits for them, and commands are carried out. */
class Life {
  rollout: Rollout;
  readonly world: World;
  readonly start: Start;
  nowMs = 0;
  terminalStates = 0;

  constructor(from: Start) {
    const plan = testPlan(from, from.dryRun);
    const restores = { rollout: "r-0", snapshotSha256: "e".repeat(64) };
    this.rollout = { ...testRollout(plan), ...(from.restore ? { restores } : {}) };
    this.world = { stable: from.stable, candidate: false, percent: 0, touched: false };
    this.start = from;
  }

  happens(happening: Happening): boolean {
    const before = this.rollout;
    const result = advance(before, { ...happening, atMs: this.nowMs } as RolloutEvent);
    if (!result.accepted) {
      expect(result.rollout).toBe(before);
      expect(result.commands).toEqual([]);
      expect(result.refusal).toMatch(/^[A-Z].*\.$/);
      return false;
    }
    const after = result.rollout;
    expect(isTerminal(before.phase)).toBe(false);
    expect(after.sequence).toBe(before.sequence + 1);
    expect(brokenInvariants(after)).toEqual([]);
    expect(result.commands).toEqual(after.pending?.sequence === after.sequence ? [after.pending.command] : []);
    expect(result.commands.length).toBeLessThanOrEqual(1);
    expect(result.entered.at(-1) ?? after.phase).toBe(after.phase);
    if (after.dryRun) expect(["verify", undefined]).toContain(result.commands[0]?.type);
    if (after.wakeAtMs !== null) expect(Number.isFinite(after.wakeAtMs)).toBe(true);
    if (isTerminal(after.phase)) this.terminalStates += 1;
    this.rollout = after;
    return true;
  }

  /** Carries the pending command out, in full or by half, and answers it. */
  answer(of: { fails: boolean; half: boolean; refuses: boolean; outcome: Verdict["outcome"] }): void {
    const command = this.rollout.pending?.command;
    if (command === undefined) return;
    if (!of.fails || of.half) this.carryOut(command);
    if (command.type === "watch" && command.mode === "bake") this.watch(command, of.outcome);
    this.happens(
      of.fails ? { type: "command-failed", command: command.type, message: "no answer" } : this.told(command, of),
    );
  }

  private carryOut(command: Command): void {
    const { world } = this;
    if (["provision", "shift", "promote", "rollback"].includes(command.type)) world.touched = true;
    if (command.type === "provision") world.candidate = true;
    if (command.type === "shift") world.percent = command.percent;
    if (command.type === "promote") Object.assign(world, { stable: false, percent: 100 });
    if (command.type === "rollback") Object.assign(world, { stable: this.start.stable, candidate: false, percent: 0 });
  }

  /** An answer comes when the bake is over, or once it says something new. */
  private watch({ untilMs, quiet }: Extract<Command, { type: "watch" }>, outcome: Verdict["outcome"]): void {
    const known = quiet?.known === verdictMark(verdictOf(outcome));
    this.nowMs = Math.max(this.nowMs, untilMs, known ? (quiet.untilMs ?? 0) : 0);
  }

  private told(command: Command, of: { refuses: boolean; outcome: Verdict["outcome"] }): Happening {
    const refusals = of.refuses ? [{ clause: "CP-5", message: "No test evidence." }] : [];
    if (command.type === "verify") return { type: "verified", refusals };
    if (command.type === "snapshot")
      return { type: "snapshot-taken", sha256: "d".repeat(64), empty: !this.start.stable };
    if (command.type === "gate") return of.refuses ? { type: "gate-refused", refusals } : { type: "gate-passed" };
    if (command.type === "provision") return { type: "provisioned" };
    if (command.type === "shift") return { type: "shifted", percent: command.percent };
    if (command.type === "watch") return { type: "watched", verdict: verdictOf(of.outcome) };
    return command.type === "promote" ? { type: "promoted" } : { type: "rolled-back" };
  }

  take(chosen: Choice): void {
    if (chosen.kind === "wait") this.nowMs += chosen.ms;
    else if (chosen.kind === "signal") this.happens(chosen.happening);
    else if (chosen.kind === "answer") this.answer(chosen);
    else if (this.rollout.pending?.command.type !== chosen.type) {
      expect(this.happens({ type: "command-failed", command: chosen.type, message: "late" })).toBe(false);
    }
  }

  propose(): void {
    const needs = this.start.needsApproval ? [needOf("approver"), needOf("budget-owner")] : [];
    const decision = this.start.needsApproval ? ("needs-approval" as const) : ("allow" as const);
    const { slotTaken, dryRun } = this.start;
    this.happens({ type: "proposed", decision: decisionOf({ decision, needs, slotTaken, dryRun }) });
  }

  /** Nobody does anything unusual any more. Every rollout must end within a bounded number of steps. */
  runOut(verdict: Verdict["outcome"]): void {
    for (let steps = 0; !isTerminal(this.rollout.phase); steps += 1) {
      expect(steps, `still in ${this.rollout.phase}`).toBeLessThan(1_000);
      const { phase, pending, wakeAtMs } = this.rollout;
      if (phase === "Proposed") this.propose();
      else if (phase === "Paused") this.happens({ type: "resumed", by: "ann" });
      else if (phase === "Queued") this.happens({ type: "dequeued", admission: { ok: true, slotTaken: false } });
      else if (wakeAtMs !== null && (pending === null || this.nowMs >= wakeAtMs)) {
        this.nowMs = Math.max(this.nowMs, wakeAtMs);
        expect(this.happens({ type: "tick" })).toBe(true);
      } else this.answer({ fails: false, half: false, refuses: false, outcome: verdict });
    }
  }

  /** Every provisioned thing is live, kept as the version that serves, or removed. */
  checkEnd(): void {
    const { rollout, world, start: from } = this;
    expect(this.terminalStates).toBe(1);
    if (rollout.phase === "Succeeded") {
      expect(world).toMatchObject({ candidate: true, stable: false, percent: 100 });
    } else if (rollout.phase === "RolledBack") {
      expect(rollout.reason).not.toBeNull();
      expect(world).toMatchObject({ candidate: false, stable: from.stable, percent: 0 });
    } else if (rollout.effectsStarted) {
      expect(rollout).toMatchObject({ phase: "Failed", reason: { code: "command-failed", cause: expect.anything() } });
    } else {
      expect(world.touched).toBe(false);
      expect(rollout.reason === null).toBe(rollout.phase === "DryRunCompleted");
    }
  }
}

const life = (from: Start, choices: Choice[]): Life => {
  const lived = new Life(from);
  lived.take(choices[0] ?? { kind: "wait", ms: 0 });
  lived.propose();
  for (const chosen of choices.slice(1)) lived.take(chosen);
  return lived;
};

describe("any sequence of signals, answers and waiting", () => {
  it("ends, once, with everything that was provisioned accounted for", () => {
    const ends = new Map<string, number>();
    fc.assert(
      fc.property(start, fc.array(choice, { maxLength: 40 }), outcome, (from, choices, verdict) => {
        const lived = life(from, choices);
        lived.runOut(verdict);
        lived.checkEnd();
        ends.set(lived.rollout.phase, (ends.get(lived.rollout.phase) ?? 0) + 1);
      }),
      { numRuns: 3_000 },
    );
    // A generator that never gets anywhere would prove nothing.
    const reached = ["Succeeded", "RolledBack", "Failed", "Denied", "Rejected", "Expired", "Superseded", "Aborted"];
    expect([...ends.keys()]).toEqual(expect.arrayContaining([...reached, "DryRunCompleted"]));
  });

  it("has an answer for every event in every phase it leads to, and allowedActions tells it", () => {
    const asks: Partial<Record<Action, Happening>> = {
      reject: { type: "rejected", by: "ann" },
      pause: { type: "paused", by: "ann" },
      resume: { type: "resumed", by: "ann" },
      promote: { type: "promote-requested", by: "ann" },
      abort: { type: "abort-requested", by: "ann" },
      rollback: { type: "rollback-requested", by: "ann" },
      supersede: { type: "superseded", by: "r-2" },
    };
    fc.assert(
      fc.property(start, fc.array(choice, { maxLength: 25 }), (from, choices) => {
        const { rollout } = life(from, choices);
        for (const [action, happening] of Object.entries(asks)) {
          const { accepted } = advance(rollout, { ...happening, atMs: 0 } as RolloutEvent);
          // Past its deadline a bake is not cut short, whatever is offered: that depends on the time alone.
          const overdue = rollout.wakeAtMs !== null && rollout.seenAtMs >= rollout.wakeAtMs;
          if (!(action === "promote" && overdue))
            expect(accepted).toBe(allowedActions(rollout).includes(action as Action));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("never loses an alarm once something was changed: a pause does not hide it", () => {
    fc.assert(
      fc.property(start, fc.array(choice, { maxLength: 25 }), (from, choices) => {
        const { rollout } = life({ ...from, dryRun: false }, choices);
        const alarm: RolloutEvent = { type: "alarm", name: "DataDriftAlarm", message: "PSI 0.4", atMs: 0 };
        const { rollout: after } = advance(rollout, alarm);
        const changed = rollout.effectsStarted && !isTerminal(rollout.phase);
        expect(after.phase).toBe(changed ? "RollingBack" : rollout.phase);
      }),
      { numRuns: 1_000 },
    );
  });

  it("shifts traffic only upwards along the plan's steps, and holds the slot whenever it can change anything", () => {
    fc.assert(
      fc.property(start, fc.array(choice, { maxLength: 40 }), (from, choices) => {
        const lived = new Life(from);
        lived.propose();
        const percents = bakePercents({ ...lived.rollout, hasStable: from.stable });
        for (const chosen of choices) {
          const before = lived.rollout.weightPercent;
          lived.take(chosen);
          const { rollout } = lived;
          if (rollout.weightPercent !== before && !isTerminal(rollout.phase)) {
            expect(percents.indexOf(rollout.weightPercent)).toBe(percents.indexOf(before) + 1);
          }
          const changing =
            rollout.pending !== null &&
            ["provision", "shift", "promote", "rollback"].includes(rollout.pending.command.type);
          if (changing) expect(holdsSlot(rollout)).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
