import { driftOf, type WindowDrift } from "../../../src/core/monitor/drift/column-drift.ts";
import { type ColumnEvidence, driftDecision } from "../../../src/core/monitor/drift/drift-decision.ts";
import { eBenjaminiHochberg } from "../../../src/core/monitor/judge/e-benjamini-hochberg.ts";
import { UrnDrift } from "../../../src/core/monitor/judge/urn-drift.ts";
import { binOf, type NumberCounts, type NumberProfile } from "../../../src/core/monitor/sketch/column-profile.ts";
import { numberProfile } from "../../../src/core/monitor/sketch/number-profile.ts";
import type { DriftSettings } from "../../../src/core/plan/monitor-settings.ts";
import { NEVER } from "./contestant.ts";

/** The product's documented defaults. */
const SETTINGS: DriftSettings = {
  methods: [],
  threshold: null,
  significance: 0.01,
  correction: "benjamini-hochberg",
  rowsMin: 1000,
  windowRows: 1000,
  windowSeconds: 300,
  windows: 3,
  breachingWindows: 2,
  ignore: [],
  columns: {},
  prediction: null,
};
/** How often the evidence of all columns is looked at together. */
const LOOK_EVERY = 10;

/** After how many rows each rule raised an alarm; -1 when it never did. */
export interface MonitorStops {
  /** Distance and corrected significance, in 2 of 3 windows of 1,000 rows. */
  windows: number;
  /** The urns' evidence with e-BH at 1 %, whatever the distance. */
  evidence: number;
  /** What the product does: the windows, or the evidence together with a distance over its limit and 1,000 rows. */
  alarm: number;
}

/** The monitor's own rules on a table, row by row. `baseline` holds its columns in ascending order. */
export function monitorRules(of: {
  baseline: readonly Float64Array[];
  came: readonly Float64Array[];
  seed: number;
}): MonitorStops {
  const profiles = of.baseline.map((sorted, at) =>
    numberProfile({ name: `c${at}`, rows: sorted.length, missing: 0, sorted, seed: of.seed + at }),
  );
  const urns = profiles.flatMap((profile, at) => UrnDrift.of(profile, 1000 * of.seed + at) ?? []);
  const evidence = evidenceAlone(urns, of.came);
  const windowStops = windowRule(profiles, of.came, evidence);
  return { ...windowStops, evidence: evidence.first };
}

interface Evidence {
  /** Rows at the first rejection; -1 without any. */
  first: number;
  /** By number of closed windows, from the first on: what e-BH said then. */
  atWindows: ColumnEvidence[][];
}

function evidenceAlone(urns: readonly UrnDrift[], came: readonly Float64Array[]): Evidence {
  const rows = came[0]?.length ?? 0;
  const found: Evidence = { first: NEVER, atWindows: [] };
  for (let row = 0; row < rows; row += 1) {
    for (const [at, urn] of urns.entries()) urn.update(came[at]?.[row] ?? 0);
    const isWindow = (row + 1) % SETTINGS.windowRows === 0;
    if (!isWindow && (found.first !== NEVER || (row + 1) % LOOK_EVERY !== 0)) continue;
    const evidence = urns.map((urn) => urn.evidence);
    const { rejected, threshold } = eBenjaminiHochberg(evidence, SETTINGS.significance);
    if (rejected.length > 0 && found.first === NEVER) found.first = row + 1;
    if (!isWindow) continue;
    const isRejected = new Set(rejected);
    found.atWindows.push(
      evidence.map((one, at) => ({ column: `c${at}`, evidence: one, threshold, isRejected: isRejected.has(at) })),
    );
  }
  return found;
}

function windowRule(
  profiles: readonly NumberProfile[],
  came: readonly Float64Array[],
  { atWindows }: Evidence,
): Pick<MonitorStops, "windows" | "alarm"> {
  const closed: WindowDrift[] = [];
  const stops = { windows: NEVER, alarm: NEVER };
  for (const [at, evidence] of atWindows.entries()) {
    const rows = (at + 1) * SETTINGS.windowRows;
    closed.push(driftBetween({ profiles, came, from: rows - SETTINGS.windowRows, to: rows }));
    const windows = driftDecision({ windows: closed, settings: SETTINGS }).state === "ALARM";
    if (windows && stops.windows === NEVER) stops.windows = rows;
    if (stops.alarm !== NEVER) continue;
    // The distances of all rows are only needed where the evidence asks for them.
    const soFar = evidence.some(({ isRejected }) => isRejected)
      ? driftBetween({ profiles, came, from: 0, to: rows })
      : null;
    const sequential = soFar === null ? undefined : { soFar, evidence };
    const alarm = windows || driftDecision({ windows: closed, settings: SETTINGS, sequential }).state === "ALARM";
    if (alarm) stops.alarm = rows;
    if (stops.windows !== NEVER) break;
  }
  return stops;
}

function driftBetween(of: {
  profiles: readonly NumberProfile[];
  came: readonly Float64Array[];
  from: number;
  to: number;
}): WindowDrift {
  const counts = of.profiles.map((profile, at) => countsOf(profile, (of.came[at] ?? EMPTY).subarray(of.from, of.to)));
  return driftOf({ profiles: of.profiles, counts, settings: SETTINGS });
}

const EMPTY = new Float64Array(0);

function countsOf(profile: NumberProfile, values: Float64Array): NumberCounts {
  const bins = new Float64Array(profile.edges.length + 1);
  const counts = { below: 0, above: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, mean: 0, m2: 0 };
  for (const [at, value] of values.entries()) {
    const bin = binOf(profile.edges, value);
    bins[bin] = (bins[bin] ?? 0) + 1;
    if (value < (profile.min ?? value)) counts.below += 1;
    if (value > (profile.max ?? value)) counts.above += 1;
    counts.min = Math.min(counts.min, value);
    counts.max = Math.max(counts.max, value);
    const delta = value - counts.mean;
    counts.mean += delta / (at + 1);
    counts.m2 += delta * (value - counts.mean);
  }
  const rows = values.length;
  const whole = { name: profile.name, rows, missing: 0, mismatched: 0, notCaptured: 0, distinct: rows };
  return { ...whole, kind: "number", bins, fractional: rows, ...counts };
}
