import { describe, expect, test } from "vitest";
import { breakerState, type Outcome } from "./breaker.ts";

const settings = { failures: 3, windowSeconds: 3600, coolDownSeconds: 1800 };
const minute = 60_000;
const failure = (atMinutes: number, startedMinutes = atMinutes - 1): Outcome => ({
  createdAtMs: startedMinutes * minute,
  endedAtMs: atMinutes * minute,
  failed: true,
});
const success = (atMinutes: number, startedMinutes = atMinutes - 1): Outcome => ({
  ...failure(atMinutes, startedMinutes),
  failed: false,
});
const at = (nowMinutes: number, outcomes: Outcome[], more: { resetAtMs?: number; trialRunning?: boolean } = {}) =>
  breakerState({
    outcomes,
    settings,
    nowMs: nowMinutes * minute,
    resetAtMs: more.resetAtMs ?? null,
    trialRunning: more.trialRunning ?? false,
  });

describe("the circuit breaker", () => {
  test("stays closed below the limit and outside the window", () => {
    expect(at(10, [failure(1), failure(2)])).toEqual({ state: "closed", failures: 2, opensUntilMs: null });
    expect(at(90, [failure(1), failure(2), failure(70)])).toMatchObject({ state: "closed", failures: 1 });
    expect(at(200, [failure(1), failure(2)])).toMatchObject({ state: "closed", failures: 0 });
  });

  test("opens at the third failure within the window, whatever succeeds between", () => {
    const history = [failure(1), failure(2), success(3), failure(4)];
    expect(at(5, history)).toEqual({ state: "open", failures: 3, opensUntilMs: 34 * minute });
  });

  test("counts outcomes by the time they ended, in any order given", () => {
    expect(at(5, [failure(4), failure(1), failure(2)])).toMatchObject({ state: "open", opensUntilMs: 34 * minute });
  });

  test("after the cool-down lets one trial through, and not a second beside it", () => {
    const history = [failure(1), failure(2), failure(4)];
    expect(at(34, history)).toEqual({ state: "half-open", failures: 3, opensUntilMs: null });
    expect(at(35, history, { trialRunning: true }).state).toBe("open");
  });

  test("a trial that fails opens it again, also long after; one that succeeds closes it", () => {
    const history = [failure(1), failure(2), failure(4)];
    expect(at(36, [...history, failure(35)])).toMatchObject({ state: "open", opensUntilMs: 65 * minute });
    expect(at(301, [...history, failure(300)])).toMatchObject({ state: "open", opensUntilMs: 330 * minute });
    expect(at(36, [...history, success(35)])).toMatchObject({ state: "closed", failures: 0 });
  });

  test("a success that began before it opened is no trial", () => {
    const history = [failure(1), failure(2), failure(4), success(5, 3)];
    expect(at(6, history).state).toBe("open");
  });

  test("a person closes it: what ended before is forgotten", () => {
    const history = [failure(1), failure(2), failure(4)];
    expect(at(5, history, { resetAtMs: 4.5 * minute })).toMatchObject({ state: "closed", failures: 0 });
    expect(at(8, [...history, failure(7)], { resetAtMs: 4.5 * minute })).toMatchObject({
      state: "closed",
      failures: 1,
    });
  });
});
