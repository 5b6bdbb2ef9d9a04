import { DRIFT_RULES, lookAt } from "./contestants/drift-rules.ts";
import { type MonitorStops, monitorRules } from "./contestants/monitor-rules.ts";
import { Draws } from "./draws.ts";

/** What comes, beside the baseline. A tenth of the columns drifts, where any does. */
export const DRIFTS = {
  none: { shift: 0, stretch: 1, correlated: false },
  "none, dependent columns": { shift: 0, stretch: 1, correlated: true },
  "by .1 deviations": { shift: 0.1, stretch: 1, correlated: false },
  "by .3 deviations": { shift: 0.3, stretch: 1, correlated: false },
  "deviation x1.2": { shift: 0, stretch: 1.2, correlated: false },
} as const;
export type Drift = keyof typeof DRIFTS;

const DRIFTING_SHARE = 0.1;
export const BASELINE_ROWS = 10_000;
/** At these sizes the rules that look once take their look. */
export const LOOKS = [500, 1000, 10_000] as const;
const ROWS = 10_000;

export interface DriftJob {
  part: "drift";
  drift: Drift;
  columns: number;
  from: number;
  to: number;
  seed: number;
}

/**
 * Of the rules that look once, by size: whether any column was flagged (1) or none (0). Of the monitor: after how many
 * rows each of its rules raised an alarm; -1 when it never did.
 */
export interface DriftStops {
  looks: Record<string, Record<string, number[]>>;
  monitor: { [rule in keyof MonitorStops]: number[] };
}

export function judgeDrift(job: DriftJob): DriftStops {
  const looks: DriftStops["looks"] = {};
  const monitor: DriftStops["monitor"] = { windows: [], evidence: [], alarm: [] };
  for (let number = job.from; number < job.to; number += 1) {
    const draws = new Draws(seedOf(job, number));
    const baseline = table({ rows: BASELINE_ROWS, columns: job.columns, drift: "none", draws });
    if (DRIFTS[job.drift].correlated) fillCorrelated(baseline, draws);
    const came = table({ rows: ROWS, columns: job.columns, drift: job.drift, draws });
    const sorted = baseline.map((column) => column.slice().sort());
    const stops = monitorRules({ baseline: sorted, came, seed: number });
    monitor.windows.push(stops.windows);
    monitor.evidence.push(stops.evidence);
    monitor.alarm.push(stops.alarm);
    for (const rows of LOOKS) lookOnce({ looks, sorted, came, rows });
  }
  return { looks, monitor };
}

function lookOnce(of: {
  looks: DriftStops["looks"];
  sorted: readonly Float64Array[];
  came: readonly Float64Array[];
  rows: number;
}): void {
  const columns = of.sorted.map((column, at) => lookAt(column, (of.came[at] ?? column).slice(0, of.rows).sort()));
  for (const [name, flags] of Object.entries(DRIFT_RULES)) {
    of.looks[name] ??= {};
    const bySize = of.looks[name];
    bySize[of.rows] ??= [];
    bySize[of.rows]?.push(flags(columns) ? 1 : 0);
  }
}

function table(of: { rows: number; columns: number; drift: Drift; draws: Draws }): Float64Array[] {
  const { shift, stretch, correlated } = DRIFTS[of.drift];
  const columns = Array.from({ length: of.columns }, () => new Float64Array(of.rows));
  if (correlated) {
    fillCorrelated(columns, of.draws);
    return columns;
  }
  const drifting = Math.round(DRIFTING_SHARE * of.columns);
  for (const [at, column] of columns.entries()) {
    const [by, times] = at < drifting ? [shift, stretch] : [0, 1];
    for (let row = 0; row < of.rows; row += 1) column[row] = by + times * of.draws.normal();
  }
  return columns;
}

/** Half of each column is one hidden variable; in every other column its square, which no order of values shows. */
function fillCorrelated(columns: readonly Float64Array[], draws: Draws): void {
  const rows = columns[0]?.length ?? 0;
  for (let row = 0; row < rows; row += 1) {
    const hidden = draws.normal();
    for (const [at, column] of columns.entries()) {
      const shared = at % 2 === 0 ? hidden : (hidden * hidden - 1) * Math.SQRT1_2;
      column[row] = Math.SQRT1_2 * (shared + draws.normal());
    }
  }
}

function seedOf({ seed, drift, columns }: DriftJob, number: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const char of `${drift}/${columns}/${number}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash ^ (hash >>> 15);
}
