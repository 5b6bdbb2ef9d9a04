import type { DriftMethod } from "../../plan/monitor-settings.ts";
import type { AlarmFigure } from "../alarm/evaluation.ts";
import type { ColumnDistance, ColumnDrift, JudgedCheck, WindowDrift } from "./column-drift.ts";
import type { DataCheckName } from "./data-check.ts";
import { shown, shownChance, shownCount, shownPercent } from "./figure-text.ts";

/** The field's word for each distance, and its unit where it has one. */
const DISTANCES: Readonly<Record<DriftMethod, (distance: string) => string>> = {
  ks: (distance) => `Kolmogorov-Smirnov ${distance}`,
  psi: (distance) => `PSI ${distance}`,
  "jensen-shannon": (distance) => `Jensen-Shannon ${distance}`,
  wasserstein: (distance) => `Wasserstein ${distance} of the baseline's standard deviations`,
  "chi-square": (distance) => `Cramer's V ${distance}`,
  "l-infinity": (distance) => `L-infinity ${distance}`,
};

const CHECKS: Readonly<Record<DataCheckName, string>> = {
  missing: "have no value",
  type: "are of another type",
  range: "lie outside of the baseline's range",
  "new-category": "have a category that the baseline does not list",
};

/** The lines of the arithmetic of one window: one a column and distance, and one a check with an excess. */
export function driftFigures({ columns, tests }: WindowDrift): AlarmFigure[] {
  return columns.flatMap((column) =>
    column.state === "judged"
      ? [
          ...column.distances.map((distance) => distanceFigure(column, distance, tests)),
          ...column.checks.map((check) => checkFigure(column, check, tests)),
        ]
      : [unjudgedFigure(column)],
  );
}

function distanceFigure(
  column: ColumnDrift,
  { method, distance, threshold, isOver }: ColumnDistance,
  tests: number,
): AlarmFigure {
  const { test } = column;
  const against = `${shownCount(column.values)} rows against ${shownCount(column.baselineValues)}`;
  const chance =
    test === null ? "" : `, ${shownChance(test.adjustedPValue)} (${test.name}) adjusted for ${shownCount(tests)} tests`;
  return {
    subject: column.column,
    measure: method,
    observed: Number.isFinite(distance) ? distance : null,
    limit: threshold,
    samples: column.values,
    pValue: test?.pValue ?? null,
    adjustedPValue: test?.adjustedPValue ?? null,
    evidence: null,
    breaching: column.isDrifted && isOver,
    message: `${DISTANCES[method](shown(distance))} (limit ${shown(threshold)})${chance}, ${against}`,
  };
}

function checkFigure({ column }: ColumnDrift, check: JudgedCheck, tests: number): AlarmFigure {
  const share = check.hits / check.of;
  const accepted = check.baselineShare + check.limit;
  return {
    subject: column,
    measure: check.check,
    observed: share,
    limit: accepted,
    samples: check.of,
    pValue: check.pValue,
    adjustedPValue: check.adjustedPValue,
    evidence: null,
    breaching: check.isBreaching,
    message:
      `${shownPercent(share)} of ${shownCount(check.of)} rows ${CHECKS[check.check]} ` +
      `(limit ${shownPercent(accepted)}, baseline ${shownPercent(check.baselineShare)}), ` +
      `${shownChance(check.adjustedPValue)} adjusted for ${shownCount(tests)} tests`,
  };
}

function unjudgedFigure({ column, state, rows }: ColumnDrift): AlarmFigure {
  return {
    ...{ subject: column, measure: "rows", observed: rows, limit: null, samples: rows },
    ...{ pValue: null, adjustedPValue: null, evidence: null, breaching: false },
    message: UNJUDGED[state](shownCount(rows)),
  };
}

const UNJUDGED: Readonly<Record<ColumnDrift["state"], (rows: string) => string>> = {
  judged: (rows) => `judged by ${rows} rows`,
  "too few rows": (rows) => `${rows} rows are too few to judge`,
  "not captured": () => "left out by the capture, so it is not watched",
  "did not come": () => "no row of it came",
  "no baseline": () => "the baseline has no value of it, so it is not watched",
};
