import type { DriftSettings } from "../../plan/monitor-settings.ts";
import type { AlarmEvaluation, AlarmFigure } from "../alarm/evaluation.ts";
import type { ColumnDrift, WindowDrift } from "./column-drift.ts";
import { driftFigures } from "./drift-figures.ts";
import { shown, shownCount } from "./figure-text.ts";

/** What the sequential test of one column has found since the version began. */
export interface ColumnEvidence {
  column: string;
  evidence: number;
  /** The evidence that it needed beside all other columns' (e-BH). */
  threshold: number;
  isRejected: boolean;
}

export interface DriftDecisionInput {
  /** Closed windows, the oldest first. */
  windows: readonly WindowDrift[];
  settings: DriftSettings;
  /** The always-valid rule beside that of the windows: its evidence, and the distances of all rows so far. */
  sequential?: { soFar: WindowDrift; evidence: readonly ColumnEvidence[] } | undefined;
}

/** The alarm's state with the arithmetic; whoever records it adds which alarm and when. */
export type DriftDecision = Pick<AlarmEvaluation, "state" | "reason" | "figures">;

const FIGURES_MAX = 50;

/**
 * ALARM when the same finding (a distance over its limit in a column that differs significantly, or a data quality
 * check) is in `breachingWindows` of the newest `windows`, or when the sequential test of a column rejects and its
 * distance over all rows so far, at least `rowsMin` of them, is over its limit. A window with fewer than `rowsMin` rows
 * says nothing, neither that nor the contrary. OK needs as many windows that say something as an alarm would, every
 * watched column in the newest of them, and, while a finding stands in one of them, all `windows`; else it is
 * INSUFFICIENT_DATA.
 */
export function driftDecision({ windows, settings, sequential }: DriftDecisionInput): DriftDecision {
  const newest = windows.slice(-settings.windows);
  const judged = newest.filter(({ rows }) => rows >= settings.rowsMin);
  const findings = countFindings(judged);
  const repeated = findings.filter(({ windows: count }) => count >= neededOf(settings));
  const proven = sequential === undefined ? [] : sequentialFindings(sequential, settings);
  const alarming = [...proven, ...repeated.map((finding) => repeatedFigure(finding, newest.length))];
  const figures = worstFirst(alarming, otherFigures(judged.at(-1), findings, alarming));
  if (alarming.length > 0) return { state: "ALARM", reason: alarmReason(alarming), figures };
  const lacking = whatIsLacking({ windows: newest, judged, isOpen: findings.length > 0, settings });
  if (lacking !== null) return { state: "INSUFFICIENT_DATA", reason: lacking, figures };
  return { state: "OK", reason: okReason(judged, figures), figures };
}

/** More than all windows cannot be asked for; a plan that says so asks for all. */
const neededOf = ({ windows, breachingWindows }: DriftSettings): number => Math.min(windows, breachingWindows);

/** A finding by column and measure, in how many windows it stands, and its newest figure. */
interface Finding {
  figure: AlarmFigure;
  windows: number;
}

function countFindings(judged: readonly WindowDrift[]): Finding[] {
  const byName = new Map<string, Finding>();
  for (const window of judged)
    for (const figure of driftFigures(window)) {
      if (!figure.breaching) continue;
      const name = nameOf(figure);
      byName.set(name, { figure, windows: (byName.get(name)?.windows ?? 0) + 1 });
    }
  return [...byName.values()];
}

const nameOf = ({ subject, measure }: AlarmFigure): string => JSON.stringify([subject, measure]);

function repeatedFigure({ figure, windows }: Finding, looked: number): AlarmFigure {
  const of = looked === 1 ? "in the newest window" : `in ${windows} of the newest ${looked} windows`;
  return { ...figure, message: `${figure.message}, ${of}` };
}

function sequentialFindings(
  { soFar, evidence }: NonNullable<DriftDecisionInput["sequential"]>,
  { rowsMin }: DriftSettings,
): AlarmFigure[] {
  const rejected = new Map(evidence.filter((one) => one.isRejected).map((one) => [one.column, one]));
  const columns = soFar.columns.filter((one) => rejected.has(one.column) && one.rows >= rowsMin);
  return columns.flatMap((column) =>
    column.distances
      .filter(({ isOver }) => isOver)
      .flatMap(({ method }) => driftFigures(onlyColumn(soFar, column)).filter(({ measure }) => measure === method))
      .map((figure) => withEvidence(figure, rejected.get(column.column))),
  );
}

const onlyColumn = (window: WindowDrift, column: ColumnDrift): WindowDrift => ({ ...window, columns: [column] });

function withEvidence(figure: AlarmFigure, of: ColumnEvidence | undefined): AlarmFigure {
  if (of === undefined) return figure;
  return {
    ...figure,
    evidence: of.evidence,
    breaching: true,
    message: `${figure.message}, evidence ${shown(of.evidence)} (threshold ${shown(of.threshold)}) over all rows so far`,
  };
}

/** Of the newest window that says something, what is not told yet; findings of older windows that still count as well. */
function otherFigures(
  newest: WindowDrift | undefined,
  findings: readonly Finding[],
  alarming: readonly AlarmFigure[],
): AlarmFigure[] {
  const told = new Set(alarming.map(nameOf));
  const figures = newest === undefined ? [] : driftFigures(newest).filter((figure) => !told.has(nameOf(figure)));
  const here = new Set(figures.map((figure) => `${nameOf(figure)} ${figure.breaching}`));
  const older = findings.filter(({ figure }) => !told.has(nameOf(figure)) && !here.has(`${nameOf(figure)} true`));
  return [
    ...older.map(({ figure }) => ({ ...figure, message: `${figure.message}, in an earlier window` })),
    ...figures,
  ];
}

function worstFirst(alarming: readonly AlarmFigure[], others: readonly AlarmFigure[]): AlarmFigure[] {
  const bySize = (a: AlarmFigure, b: AlarmFigure): number =>
    Number(b.breaching) - Number(a.breaching) || timesLimit(b) - timesLimit(a);
  return [...alarming.toSorted(bySize), ...others.toSorted(bySize)].slice(0, FIGURES_MAX);
}

/** How many times its limit a figure is; one that could not be taken comes last. */
function timesLimit({ observed, limit, measure }: AlarmFigure): number {
  if (measure === "rows") return -1;
  // A distance that no number can hold is farther than every one that a number can.
  if (observed === null) return Number.MAX_VALUE;
  return observed / Math.max(limit ?? 1, 1e-12);
}

function alarmReason(alarming: readonly AlarmFigure[]): string {
  const [worst] = worstFirst(alarming, []);
  const columns = new Set(alarming.map(({ subject }) => subject)).size;
  const more = columns > 1 ? `; ${shownCount(columns - 1)} more ${columns === 2 ? "column" : "columns"} so` : "";
  return `${worst?.subject}: ${worst?.message}${more}`;
}

/** What OK would need and is not there, in a sentence; null when nothing is. */
function whatIsLacking(of: {
  windows: readonly WindowDrift[];
  judged: readonly WindowDrift[];
  isOpen: boolean;
  settings: DriftSettings;
}): string | null {
  const { windows, judged, isOpen, settings } = of;
  const needed = neededOf(settings);
  const newest = judged.at(-1);
  if (newest === undefined || judged.length < needed) {
    const rows = windows.at(-1)?.rows;
    const last = rows === undefined ? "no window has closed yet" : `the newest has ${shownCount(rows)}`;
    return `${judged.length} of ${needed} windows with at least ${shownCount(settings.rowsMin)} rows; ${last}`;
  }
  if (isOpen && windows.length < settings.windows)
    return `a finding in ${windows.length === 1 ? "the first window" : `one of ${windows.length} windows`}; an alarm needs ${needed} of ${settings.windows}`;
  const watched = newest.columns.filter(({ state }) => state !== "not captured" && state !== "no baseline");
  if (watched.length === 0) return "no column of the baseline was captured";
  const [missing] = watched.filter(({ state }) => state !== "judged");
  if (missing === undefined) return null;
  return missing.state === "did not come"
    ? `${missing.column}: no row of it came`
    : `${missing.column}: ${shownCount(missing.rows)} of at least ${shownCount(settings.rowsMin)} rows`;
}

function okReason(judged: readonly WindowDrift[], [worst]: readonly AlarmFigure[]): string {
  const newest = judged.at(-1);
  const columns = newest?.columns.filter(({ state }) => state === "judged").length ?? 0;
  const unseen = (newest?.columns.length ?? 0) - columns;
  const left = unseen > 0 ? `, ${shownCount(unseen)} not watched` : "";
  const nearest = worst === undefined ? "" : `; nearest to its limit ${worst.subject}: ${worst.message}`;
  return `${shownCount(columns)} ${columns === 1 ? "column" : "columns"} in ${shownCount(judged.length)} windows as the baseline${left}${nearest}`;
}
