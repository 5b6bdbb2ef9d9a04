import { bakePercents } from "./bake-percents.ts";
import { deadlineAtMs, startClock, stopClock } from "./clock.ts";
import type { Command, Quiet, Reason, Rollout, TerminalPhase } from "./rollout.ts";

/**
 * The moves a rollout can make. Each takes the rollout with the accepted event already counted (`sequence`,
 * `seenAtMs`) and returns it in its next phase, with the command that the phase begins with as `pending`.
 */

/** An event that makes no sense now; the rollout stays as it is. */
export interface Refused {
  refused: string;
}
export type Step = Rollout | Refused;

export function refuse(refused: string): Refused {
  return { refused };
}

/** Phases that do their work by one command each, and so can be entered and resumed. */
export type WorkPhase = "Verifying" | "Snapshotting" | "Provisioning" | "Shifting" | "Promoting";

const GUARD_WATCH_MS = 600_000;
const HOLD_MS_MIN = 1_000;
const HOLD_MS_MAX = 60_000;
const LAST_WORD_MS = 1_000;

export function end(rollout: Rollout, phase: TerminalPhase, reason: Reason | null): Rollout {
  return { ...settled(rollout), phase, reason, bake: null };
}

/** Everything that went before is given up: the outstanding command is replaced and its late answer fenced. */
export function rollBack(rollout: Rollout, reason: Reason): Rollout {
  return issue({ ...settled(rollout), phase: "RollingBack", reason, bake: null }, { type: "rollback" });
}

/** Ends a course in the way that fits what was done: with nothing changed there is nothing to roll back. */
export function giveUp(rollout: Rollout, phaseBeforeEffects: TerminalPhase, reason: Reason): Rollout {
  return rollout.effectsStarted ? rollBack(rollout, reason) : end(rollout, phaseBeforeEffects, reason);
}

function settled(rollout: Rollout): Rollout {
  return { ...stopClock(rollout), pending: null, resume: null, pauseRequested: false };
}

function issue(rollout: Rollout, command: Command): Rollout {
  return { ...rollout, pending: { sequence: rollout.sequence, command } };
}

/** Enters the phase, or pauses in front of it when that was asked for. */
export function proceed(rollout: Rollout, phase: WorkPhase): Rollout {
  return rollout.pauseRequested ? pauseBefore(rollout, phase) : enter(rollout, phase);
}

export function enter(rollout: Rollout, phase: WorkPhase): Rollout {
  const entered = { ...startClock(rollout), phase, resume: null };
  if (phase === "Verifying") return issue(entered, { type: "verify" });
  if (phase === "Snapshotting") return issue(entered, { type: "snapshot" });
  if (phase === "Promoting") return issue({ ...entered, bake: null }, { type: "promote" });
  const changing = { ...entered, effectsStarted: true };
  if (phase === "Provisioning") return issue(changing, { type: "provision" });
  return issue({ ...changing, bake: null }, { type: "shift", percent: nextPercent(rollout) ?? 100 });
}

/** The last check before the first effect. It belongs to Snapshotting: nothing was changed yet. */
export function enterGate(rollout: Rollout): Rollout {
  return rollout.pauseRequested ? pauseBefore(rollout, "Snapshotting") : issue(rollout, { type: "gate" });
}

/**
 * Before the first effect a pause gives up the snapshot and the gate's answer: both hold for the moment they were
 * taken in, and a pause may last for days. `resume` takes them again.
 */
function pauseBefore(rollout: Rollout, phase: WorkPhase): Rollout {
  const paused: Rollout = { ...settled(rollout), phase: "Paused", resume: { phase } };
  if (phase !== "Snapshotting" && phase !== "Provisioning") return paused;
  return { ...paused, resume: { phase: "Snapshotting" }, snapshot: null, hasStable: false };
}

/** Starts holding traffic where a shift has just put it. */
export function enterBaking(rollout: Rollout, percent: number): Rollout {
  const baking: Rollout = {
    ...rollout,
    phase: "Baking",
    weightPercent: percent,
    bake: { percent, startedAtMs: rollout.seenAtMs },
  };
  return baking.pauseRequested ? pauseBake(baking) : watchBake(baking, bakeEndMs(baking));
}

/** A paused bake is still watched: traffic flows to the candidate, and a pause must not hide that it fails. */
export function pauseBake(rollout: Rollout): Rollout {
  const bakedMs = rollout.seenAtMs - (rollout.bake?.startedAtMs ?? rollout.seenAtMs);
  return guardBake({ ...settled(rollout), phase: "Paused", resume: { phase: "Baking", bakedMs } });
}

/** A guard says every ten minutes what it sees, when that is something new. */
export function guardBake(rollout: Rollout): Rollout {
  const untilMs = rollout.seenAtMs + GUARD_WATCH_MS;
  const quiet = quietOf(rollout, null);
  return issue(rollout, { type: "watch", percent: rollout.weightPercent, untilMs, mode: "guard", ...quiet });
}

/** The part of the bake that was served before the pause counts. */
export function resumeBake(rollout: Rollout): Rollout {
  const startedAtMs = rollout.seenAtMs - (rollout.resume?.bakedMs ?? 0);
  const bake = { percent: rollout.weightPercent, startedAtMs };
  const baking: Rollout = { ...startClock(rollout), phase: "Baking", resume: null, bake };
  return watchBake(baking, Math.max(bakeEndMs(baking), rollout.seenAtMs));
}

/**
 * Watches for a while longer: the bake is over but its verdict is neither pass nor fail. A quarter of the bake, between
 * a second and a minute, finds a late pass soon, and keeps a verdict that changes to and fro from filling the history. The
 * same verdict again is told only just before the deadline, so that the end can say what was measured last.
 */
export function holdBake(rollout: Rollout): Rollout {
  const quarterMs = rollout.plan.spec.rollout.bakeSeconds * 250;
  const holdMs = Math.min(HOLD_MS_MAX, Math.max(HOLD_MS_MIN, quarterMs));
  const untilMs = Math.max(bakeEndMs(rollout), rollout.seenAtMs + holdMs);
  const deadline = deadlineAtMs(rollout);
  return watchBake(rollout, untilMs, quietOf(rollout, deadline === null ? null : deadline - LAST_WORD_MS));
}

export function watchBake(rollout: Rollout, untilMs: number, quiet: { quiet?: Quiet } = {}): Rollout {
  return issue(rollout, { type: "watch", percent: rollout.weightPercent, untilMs, mode: "bake", ...quiet });
}

function quietOf({ lastVerdict }: Rollout, untilMs: number | null): { quiet?: Quiet } {
  return lastVerdict?.mark === undefined ? {} : { quiet: { known: lastVerdict.mark, untilMs } };
}

/** Moves on from a bake that passed or was cut short: to the next share of traffic, or to promotion after the last. */
export function leaveBake(rollout: Rollout): Rollout {
  return enter({ ...rollout, lastVerdict: null }, nextPercent(rollout) === null ? "Promoting" : "Shifting");
}

export function bakeEndMs(rollout: Rollout): number {
  const startedAtMs = rollout.bake?.startedAtMs ?? rollout.seenAtMs;
  return startedAtMs + rollout.plan.spec.rollout.bakeSeconds * 1000;
}

function nextPercent(rollout: Rollout): number | null {
  const percents = bakePercents(rollout);
  return percents.find((percent) => percent > rollout.weightPercent) ?? null;
}

/** Passing the deadline. A bake that could not be decided until then says so: that is what a person has to mend. */
export function overrun(rollout: Rollout): Rollout {
  const { deadlineSeconds } = rollout.plan.spec.rollout;
  const passed = `The deadline of ${deadlineSeconds} s passed in ${rollout.phase}.`;
  const verdict = rollout.lastVerdict;
  if (verdict?.outcome === "inconclusive" || verdict?.outcome === "error") {
    const undecided = `${passed} The last verdict was ${verdict.outcome}: ${verdict.message}`;
    return giveUp(rollout, "Failed", { code: "inconclusive", message: undecided });
  }
  return giveUp(rollout, "Failed", { code: "deadline", message: passed });
}
