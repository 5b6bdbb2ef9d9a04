import { describe, expect, test } from "vitest";
import type { DriftSettings } from "../../plan/monitor-settings.ts";
import type { ColumnDrift, WindowDrift } from "./column-drift.ts";
import { type ColumnEvidence, driftDecision } from "./drift-decision.ts";
import { driftSettings } from "./testing/settings.ts";

function column(name: string, distance: number, given: Partial<ColumnDrift> = {}): ColumnDrift {
  const isOver = distance >= 0.1;
  return {
    ...{ column: name, state: "judged", rows: 1200, values: 1200, baselineValues: 10_000 },
    distances: [{ method: "wasserstein", distance, threshold: 0.1, isOver }],
    test: { name: "chi-square", pValue: isOver ? 1e-10 : 0.4, adjustedPValue: isOver ? 3e-9 : 0.7, looks: 4 },
    ...{ checks: [], isDrifted: isOver },
    ...given,
  };
}

/** A window of the columns a and b at these distances. */
const window = (a: number, b: number, rows = 1200): WindowDrift => ({
  rows,
  tests: 8,
  columns: [column("a", a), column("b", b)],
});
const small: WindowDrift = {
  rows: 40,
  tests: 0,
  columns: [column("a", 0, { state: "too few rows", rows: 40, distances: [], test: null })],
};
const decide = (windows: WindowDrift[], given: Partial<DriftSettings> = {}) =>
  driftDecision({ windows, settings: driftSettings(given) });

describe("M of N windows", () => {
  test("the same finding in two of the newest three is an alarm, with a sentence that can be redone", () => {
    const { state, reason, figures } = decide([window(0.42, 0), window(0, 0), window(0.42, 0.02)]);
    expect(state).toBe("ALARM");
    expect(reason).toBe(
      "a: Wasserstein 0.42 of the baseline's standard deviations (limit 0.1), p 3e-9 (chi-square) adjusted for 8 tests, " +
        "1,200 rows against 10,000, in 2 of the newest 3 windows",
    );
    expect(figures.map(({ subject, breaching }) => [subject, breaching])).toEqual([
      ["a", true],
      ["b", false],
    ]);
  });

  test("findings of different columns, or of windows that are too old, do not add up", () => {
    expect(decide([window(0.4, 0), window(0, 0.4), window(0, 0)]).state).toBe("OK");
    expect(decide([window(0.4, 0), window(0, 0), window(0, 0), window(0.4, 0)]).state).toBe("OK");
  });

  test("more breaching windows than there are windows means all of them", () => {
    expect(decide([window(0.4, 0)], { windows: 1, breachingWindows: 2 }).state).toBe("ALARM");
  });

  test("an alarm ends when the windows do: old findings do not hold it for ever", () => {
    expect(decide([window(0.4, 0), window(0.4, 0), small, small]).state).toBe("INSUFFICIENT_DATA");
  });

  test("worst first, and never more than fifty figures", () => {
    const many = (scale: number): WindowDrift => ({
      ...{ rows: 1200, tests: 240 },
      columns: Array.from({ length: 60 }, (_, index) => column(`c${index}`, index * scale)),
    });
    const { figures, reason } = decide([many(0.01), many(0.01)]);
    expect(figures).toHaveLength(50);
    expect(figures.map(({ subject }) => subject).slice(0, 2)).toEqual(["c59", "c58"]);
    expect(reason).toContain("c59: Wasserstein 0.59");
    expect(reason).toMatch(/49 more columns so$/);
  });
});

describe("too little data is never OK", () => {
  test("no window, one window, windows with too few rows", () => {
    expect(decide([])).toMatchObject({ state: "INSUFFICIENT_DATA", figures: [] });
    expect(decide([]).reason).toBe("0 of 2 windows with at least 1,000 rows; no window has closed yet");
    expect(decide([window(0, 0)]).reason).toBe("1 of 2 windows with at least 1,000 rows; the newest has 1,200");
    expect(decide([small, small, small]).reason).toBe("0 of 2 windows with at least 1,000 rows; the newest has 40");
    expect(decide([window(0, 0), window(0, 0)]).state).toBe("OK");
  });

  test("a finding that one more window could confirm is open", () => {
    expect(decide([window(0, 0), window(0.4, 0)])).toMatchObject({
      state: "INSUFFICIENT_DATA",
      reason: "a finding in one of 2 windows; an alarm needs 2 of 3",
    });
  });

  test("a watched column without rows keeps the others from being OK; one that the capture leaves out does not", () => {
    const without = (state: ColumnDrift["state"], rows: number): WindowDrift => ({
      ...window(0, 0),
      columns: [column("a", 0), column("c", 0, { state, rows, values: 0, distances: [], test: null })],
    });
    expect(decide([without("did not come", 0), without("did not come", 0)])).toMatchObject({
      state: "INSUFFICIENT_DATA",
      reason: "c: no row of it came",
    });
    expect(decide([without("too few rows", 300), without("too few rows", 300)]).reason).toBe(
      "c: 300 of at least 1,000 rows",
    );
    const { state, reason } = decide([without("not captured", 0), without("not captured", 0)]);
    expect(state).toBe("OK");
    expect(reason).toContain("1 column in 2 windows as the baseline, 1 not watched");
  });

  test("with nothing captured nothing is known", () => {
    const nothing: WindowDrift = {
      ...{ rows: 1200, tests: 0 },
      columns: [column("a", 0, { state: "not captured", rows: 0, distances: [], test: null })],
    };
    expect(decide([nothing, nothing])).toMatchObject({
      state: "INSUFFICIENT_DATA",
      reason: "no column of the baseline was captured",
    });
  });
});

describe("the sequential rule", () => {
  const proof = (name: string, given: Partial<ColumnEvidence> = {}): ColumnEvidence => ({
    ...{ column: name, evidence: 2.5e4, threshold: 200, isRejected: true },
    ...given,
  });
  const decideBy = (soFar: WindowDrift, evidence: ColumnEvidence[]) =>
    driftDecision({ windows: [], settings: driftSettings(), sequential: { soFar, evidence } });

  test("alarms at once, without a closed window, and shows the evidence", () => {
    const { state, reason, figures } = decideBy(window(0.4, 0), [proof("a")]);
    expect(state).toBe("ALARM");
    expect(reason).toContain("evidence 25000 (threshold 200) over all rows so far");
    expect(figures[0]).toMatchObject({ subject: "a", evidence: 2.5e4, breaching: true });
  });

  test("needs the effect, the rows and the rejection", () => {
    expect(decideBy(window(0.05, 0), [proof("a")]).state).toBe("INSUFFICIENT_DATA");
    const few = { ...window(0, 0), columns: [column("a", 0.4, { rows: 300 })] };
    expect(decideBy(few, [proof("a")]).state).toBe("INSUFFICIENT_DATA");
    expect(decideBy(window(0.4, 0), [proof("a", { isRejected: false })]).state).toBe("INSUFFICIENT_DATA");
    expect(decideBy(window(0.4, 0), [proof("b")]).state).toBe("INSUFFICIENT_DATA");
  });
});

describe("what a person reads", () => {
  test("a data quality check, and a distance that no number can hold", () => {
    const check = { check: "missing", hits: 240, of: 1200, baselineShare: 0.05, pValue: 1e-40 } as const;
    const judged = { ...check, adjustedPValue: 8e-40, limit: 0.05, isBreaching: true };
    const found = (): WindowDrift => ({
      ...{ rows: 1200, tests: 4 },
      columns: [column("a", Number.POSITIVE_INFINITY, { checks: [judged] })],
    });
    const { figures } = decide([found(), found()]);
    expect(figures.map(({ measure, observed }) => [measure, observed])).toEqual([
      ["wasserstein", null],
      ["missing", 0.2],
    ]);
    expect(figures[1]?.message).toBe(
      "20 % of 1,200 rows have no value (limit 10 %, baseline 5 %), p 8e-40 adjusted for 4 tests, in 2 of the newest 2 windows",
    );
  });
});
