import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Alarm, evaluateAlarm, isUnanswered } from "./alarm.ts";
import { ALARM_STATES, type AlarmEvaluation, type AlarmState } from "./evaluation.ts";

const evaluation = (state: AlarmState, atMs: number): AlarmEvaluation => ({
  ...{ alarm: "DataDriftAlarm", state, atMs, reason: `${state} at ${atMs}`, figures: [] },
});
const looks = fc.array(fc.record({ state: fc.constantFrom(...ALARM_STATES), atMs: fc.nat(1000) }), { maxLength: 40 });

/** Every evaluation in turn, with each change of state that it made. */
function run(all: readonly { state: AlarmState; atMs: number }[]) {
  let alarm: Alarm | undefined;
  const history: { from: AlarmState; to: AlarmState }[] = [];
  for (const { state, atMs } of all) {
    const evaluated = evaluateAlarm(alarm, evaluation(state, atMs));
    if (evaluated === undefined) continue;
    alarm = evaluated.alarm;
    if (evaluated.transition !== null) history.push(evaluated.transition);
  }
  return { alarm, history };
}

describe("an alarm", () => {
  test("begins with INSUFFICIENT_DATA, and its history has no gap", () => {
    fc.assert(
      fc.property(looks, (all) => {
        const { alarm, history } = run(all);
        const path = ["INSUFFICIENT_DATA", ...history.map(({ to }) => to)];
        expect(history.map(({ from }) => from)).toEqual(path.slice(0, -1));
        expect(history.every(({ from, to }) => from !== to)).toBe(true);
        expect(alarm?.state ?? "INSUFFICIENT_DATA").toBe(path.at(-1));
        expect(alarm?.transitions ?? 0).toBe(history.length);
      }),
    );
  });

  test("is what the newest evaluation says, in whatever order they come", () => {
    fc.assert(
      fc.property(looks, (all) => {
        const { alarm } = run(all);
        const newest = Math.max(...all.map(({ atMs }) => atMs));
        const last = all.findLast(({ atMs }) => atMs === newest);
        expect(alarm?.state).toBe(last?.state);
        expect(alarm === undefined || alarm.sinceMs <= alarm.evaluatedAtMs).toBe(true);
      }),
    );
  });

  test("loses its acknowledgement and its effect when it leaves ALARM, and not before", () => {
    const raised = evaluateAlarm(undefined, evaluation("ALARM", 1))?.alarm;
    if (raised === undefined) throw new Error("a first evaluation counts");
    const seen: Alarm = {
      ...raised,
      acknowledgement: { by: "ann", atMs: 2, comment: null },
      effect: { kind: "ask", message: "asked" },
    };
    const still = evaluateAlarm(seen, evaluation("ALARM", 3));
    expect(still).toMatchObject({
      alarm: { sinceMs: 1, evaluatedAtMs: 3, acknowledgement: { by: "ann" }, effect: { kind: "ask" } },
      transition: null,
    });
    for (const state of ["OK", "INSUFFICIENT_DATA"] as const)
      expect(evaluateAlarm(seen, evaluation(state, 3))?.alarm).toMatchObject({ acknowledgement: null, effect: null });
  });

  test("waits for what follows from it until something did", () => {
    const raised = evaluateAlarm(undefined, evaluation("ALARM", 1))?.alarm;
    if (raised === undefined) throw new Error("a first evaluation counts");
    const following = (kind: NonNullable<Alarm["effect"]>["kind"]) =>
      isUnanswered({ ...raised, effect: { kind, message: "" } });
    expect(isUnanswered(raised)).toBe(true);
    expect([following("none"), following("ask"), following("rollout"), following("restore")]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(isUnanswered({ ...raised, state: "OK" })).toBe(false);
    expect(isUnanswered({ ...raised, state: "INSUFFICIENT_DATA" })).toBe(false);
  });
});
