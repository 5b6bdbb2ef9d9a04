import type { DriftMethod, DriftSettings } from "../../plan/monitor-settings.ts";
import type { ColumnCounts, ColumnProfile } from "../sketch/column-profile.ts";
import { benjaminiHochberg, bonferroni } from "../statistics/corrections.ts";
import { baselineValues, type ColumnPair, currentValues, pairOf } from "./column-cells.ts";
import { columnDistance } from "./column-distance.ts";
import { type ColumnTest, columnTest } from "./column-test.ts";
import { CHECK_LIMITS, type DataCheck, dataChecks } from "./data-check.ts";
import { methodsFor } from "./drift-method.ts";

/** One distance of one column against its limit. */
export interface ColumnDistance {
  method: DriftMethod;
  distance: number;
  threshold: number;
  /** At or over the limit; whether that is a finding, `isDrifted` of the column says. */
  isOver: boolean;
}

export interface JudgedCheck extends DataCheck {
  adjustedPValue: number;
  /** How much above `baselineShare` is accepted. */
  limit: number;
  isBreaching: boolean;
}

/**
 * `judged`, or why not: too few rows; left out by the capture in every row; no row of it came at all; or the baseline
 * has no value to compare with.
 */
export type ColumnState = "judged" | "too few rows" | "not captured" | "did not come" | "no baseline";

export interface ColumnDrift {
  column: string;
  state: ColumnState;
  /** Rows in which the column was captured; of them, and of the baseline's, those with a value. */
  rows: number;
  values: number;
  baselineValues: number;
  distances: readonly ColumnDistance[];
  test: (ColumnTest & { adjustedPValue: number }) | null;
  /** Those with more hits than the baseline has by share. */
  checks: readonly JudgedCheck[];
  /** A distance is over its limit, the test is significant after the correction, and there are enough rows. */
  isDrifted: boolean;
}

/** What one window, or all that came so far, is like beside the baseline. Plain data. */
export interface WindowDrift {
  /** Rows that came, whatever was captured of them. */
  rows: number;
  /** Tests that were made together, by which each was corrected. */
  tests: number;
  columns: readonly ColumnDrift[];
}

export interface DriftInput {
  /** Columns of the baseline that are to be watched: without the label, which no request holds. */
  profiles: readonly ColumnProfile[];
  /** What came, counted against these profiles. Columns that the baseline does not know are left out. */
  counts: readonly ColumnCounts[];
  settings: DriftSettings;
}

/** Compares a window with the baseline: every watched column's distances, its test, and its data quality checks. */
export function driftOf({ profiles, counts, settings }: DriftInput): WindowDrift {
  const came = new Map(counts.map((one) => [one.name, one]));
  const ignored = new Set(settings.ignore);
  const looked = profiles
    .filter(({ name }) => !ignored.has(name))
    .map((one) => look(one, came.get(one.name), settings));
  const family = looked.flatMap(({ test, checks }) => [
    ...(test === null ? [] : [test.pValue]),
    ...checks.map((one) => one.pValue),
  ]);
  const adjusted = settings.correction === "bonferroni" ? bonferroni(family) : benjaminiHochberg(family);
  let next = 0;
  const take = (): number => adjusted[next++] ?? 1;
  return {
    rows: counts.reduce((rows, one) => Math.max(rows, one.rows + one.notCaptured), 0),
    tests: family.length,
    columns: looked.map((one) => judged(one, settings, take)),
  };
}

interface Looked {
  drift: Omit<ColumnDrift, "test" | "checks" | "isDrifted">;
  test: ColumnTest | null;
  checks: readonly DataCheck[];
}

/** All that can be said of a column by itself. */
function look(profile: ColumnProfile, counts: ColumnCounts | undefined, settings: DriftSettings): Looked {
  const before = baselineValues(profile);
  const rows = counts?.rows ?? 0;
  const pair = counts === undefined ? null : pairOf(profile, counts);
  const values = counts === undefined ? 0 : currentValues(counts);
  const state = stateOf({ rows, before, notCaptured: counts?.notCaptured ?? 0, isPair: pair !== null, settings });
  const drift = { column: profile.name, state, rows, values, baselineValues: before };
  if (state !== "judged" || pair === null) return { drift: { ...drift, distances: [] }, test: null, checks: [] };
  return {
    drift: { ...drift, distances: distancesOf(pair, settings) },
    test: columnTest(pair),
    checks: dataChecks(pair),
  };
}

function stateOf(of: {
  rows: number;
  before: number;
  notCaptured: number;
  isPair: boolean;
  settings: DriftSettings;
}): ColumnState {
  if (of.before === 0) return "no baseline";
  if (of.rows === 0 || !of.isPair) return of.notCaptured > 0 ? "not captured" : "did not come";
  return of.rows < of.settings.rowsMin ? "too few rows" : "judged";
}

function distancesOf(pair: ColumnPair, settings: DriftSettings): ColumnDistance[] {
  return methodsFor(pair.profile, settings).map(({ method, threshold }) => {
    const distance = columnDistance(pair, method);
    return { method, distance, threshold, isOver: distance >= threshold && distance > 0 };
  });
}

/** `take` gives the corrected chances in the order in which the family was listed. */
function judged({ drift, test, checks }: Looked, { significance }: DriftSettings, take: () => number): ColumnDrift {
  const adjustedTest = test === null ? null : { ...test, adjustedPValue: take() };
  const adjustedChecks = checks.map((one) => judgedCheck(one, take(), significance));
  const isSignificant = adjustedTest !== null && adjustedTest.adjustedPValue < significance;
  return {
    ...drift,
    test: adjustedTest,
    checks: adjustedChecks.filter(({ hits, of, baselineShare }) => hits > of * baselineShare),
    isDrifted: isSignificant && drift.distances.some(({ isOver }) => isOver),
  };
}

function judgedCheck(check: DataCheck, adjustedPValue: number, significance: number): JudgedCheck {
  const limit = CHECK_LIMITS[check.check];
  const excess = check.of === 0 ? 0 : check.hits / check.of - check.baselineShare;
  return { ...check, adjustedPValue, limit, isBreaching: excess > limit && adjustedPValue < significance };
}
