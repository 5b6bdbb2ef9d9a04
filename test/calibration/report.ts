import { clopperPearsonInterval } from "../../src/core/monitor/statistics/proportion.ts";
import { NEVER } from "./contestants/contestant.ts";
import { ALPHA } from "./contestants/product-judge.ts";
import type { JobResult } from "./job.ts";
import { DRIFTS, LOOKS } from "./judge-drift.ts";
import { PRODUCT } from "./judge-rollouts.ts";
import { EFFECT_WORLDS, NULL_WORLDS } from "./world.ts";

/** How often, of how many, with the exact interval (Clopper & Pearson) in which the true share lies with 95 %. */
export interface Rate {
  hits: number;
  of: number;
  share: number;
  low: number;
  high: number;
}

/** One rule in one world. */
export interface Row {
  part: "equal" | "effect" | "drift";
  world: string;
  rule: string;
  rate: Rate;
  /** Requests (for drift rows) until half of all were found; null while fewer were, and for rules that look once. */
  median: number | null;
  target: string | null;
  /** null where nothing is promised. */
  met: boolean | null;
}

export interface Report {
  version: 1;
  seed: number;
  size: string;
  seconds: number;
  alpha: number;
  requests: number;
  rows: Row[];
}

export function rowsOf(results: readonly JobResult[]): Row[] {
  return [...rolloutRows(results), ...driftRows(results)];
}

export function rateOf(hits: number, of: number): Rate {
  const { low, high } = clopperPearsonInterval({ hits, of });
  return { hits, of, share: of === 0 ? 0 : hits / of, low, high };
}

function rolloutRows(results: readonly JobResult[]): Row[] {
  const collected = new Map<string, { part: "equal" | "effect"; world: string; rule: string; stops: number[] }>();
  for (const result of results) {
    if (!isRollouts(result)) continue;
    const { part, world } = result.job;
    for (const [rule, stops] of Object.entries(result.stops)) {
      const key = JSON.stringify([part, world, rule]);
      const entry = collected.get(key) ?? { part, world, rule, stops: [] };
      entry.stops.push(...stops);
      collected.set(key, entry);
    }
  }
  return [...collected.values()].map(({ part, world, rule, stops }) => {
    const found = stops.filter((stop) => stop !== NEVER);
    const row = { part, world, rule, rate: rateOf(found.length, stops.length), median: medianOf(stops) };
    return { ...row, ...(rule === PRODUCT ? judged(row) : { target: null, met: null }) };
  });
}

type RolloutResult = Extract<JobResult, { job: { part: "equal" | "effect" } }>;
type DriftResult = Extract<JobResult, { job: { part: "drift" } }>;

const isRollouts = (result: JobResult): result is RolloutResult => result.job.part !== "drift";
const isDrift = (result: JobResult): result is DriftResult => result.job.part === "drift";

/** Half of all, those that were never found counted as infinitely late. */
function medianOf(stops: readonly number[]): number | null {
  const sorted = stops.map((stop) => (stop === NEVER ? Number.POSITIVE_INFINITY : stop)).sort((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.POSITIVE_INFINITY;
  return Number.isFinite(middle) ? middle : null;
}

function judged(row: Pick<Row, "part" | "world" | "rate" | "median">) {
  if (row.part === "equal") {
    const promised = NULL_WORLDS.find(({ name }) => name === row.world)?.promised === true;
    return promised ? atMost(row.rate) : { target: "nothing is promised", met: null };
  }
  const target = EFFECT_WORLDS.find(({ name }) => name === row.world)?.target ?? null;
  if (target === null) return { target: null, met: null };
  const words: string[] = [];
  let met = true;
  if (target.medianMax !== undefined) {
    words.push(`median <= ${target.medianMax}`);
    met &&= row.median !== null && row.median <= target.medianMax;
  }
  if (target.foundMin !== undefined) {
    words.push(`>= ${100 * target.foundMin} % found`);
    // Of few rollouts only a share that is surely too small is a miss.
    met &&= row.rate.high >= target.foundMin;
  }
  return { target: words.join(", "), met };
}

/** Too often is only what is surely above alpha: one alarm of fifty is no proof of more than one in a hundred. */
function atMost(rate: Rate): { target: string; met: boolean } {
  return { target: `<= ${100 * ALPHA} %`, met: rate.low <= ALPHA };
}

const DRIFT_ROWS_MAX: Readonly<Record<string, number>> = {
  "by .3 deviations": 250,
  "deviation x1.2": 450,
  "by .1 deviations": 1500,
};
const MONITOR_RULES = { windows: "windows", evidence: "evidence alone", alarm: "alarm" } as const;

function driftRows(results: readonly JobResult[]): Row[] {
  const rows: Row[] = [];
  const drifts = results.filter(isDrift);
  for (const columns of [20, 200]) {
    for (const drift of Object.keys(DRIFTS)) {
      const here = drifts.filter(({ job }) => job.columns === columns && job.drift === drift);
      if (here.length > 0) rows.push(...rowsOfDrift(here, { drift, columns }));
    }
  }
  return rows;
}

function rowsOfDrift(results: readonly DriftResult[], { drift, columns }: { drift: string; columns: number }): Row[] {
  const about = { part: "drift" as const, world: `${drift}, ${columns} columns` };
  const isNull = drift.startsWith("none");
  const ours = (["windows", "evidence", "alarm"] as const).map((rule): Row => {
    const stops = results.flatMap(({ stops }) => stops.monitor[rule]);
    const rate = rateOf(stops.filter((stop) => stop !== NEVER).length, stops.length);
    const median = medianOf(stops);
    const row = { ...about, rule: `${PRODUCT}: ${MONITOR_RULES[rule]}`, rate, median };
    if (isNull) return { ...row, ...(rule === "windows" ? { target: null, met: null } : atMost(rate)) };
    const rowsMax = rule === "evidence" && columns === 200 ? DRIFT_ROWS_MAX[drift] : undefined;
    if (rowsMax === undefined) return { ...row, target: null, met: null };
    return { ...row, target: `median <= ${rowsMax}`, met: median !== null && median <= rowsMax };
  });
  const names = Object.keys(results[0]?.stops.looks ?? {});
  const peers = names.flatMap((name) =>
    LOOKS.map((size): Row => {
      const flags = results.flatMap(({ stops }) => stops.looks[name]?.[size] ?? []);
      const rate = rateOf(flags.filter((flag) => flag === 1).length, flags.length);
      return { ...about, rule: `${name}, one look at ${size} rows`, rate, median: null, target: null, met: null };
    }),
  );
  return [...ours, ...peers];
}

/** The tables that a person reads: one for each world. */
export function tables(rows: readonly Row[]): string {
  const lines: string[] = [];
  let heading = "";
  for (const row of rows) {
    const next = `${HEADINGS[row.part]}: ${row.world}`;
    if (next !== heading) lines.push("", next);
    heading = next;
    lines.push(lineOf(row));
  }
  return lines.join("\n");
}

const HEADINGS = {
  equal: "rolled back although nothing is wrong",
  effect: "rolled back because it is worse",
  drift: "drift alarm",
} as const;

function lineOf({ part, rule, rate, median, target, met }: Row): string {
  const share = `${percent(rate.share)} (${percent(rate.low)} to ${percent(rate.high)})`;
  const unit = part === "drift" ? "rows" : "requests";
  const when = part === "equal" || median === null ? "" : `median ${median} ${unit}`;
  const verdict = met === null ? "" : met ? "PASS" : "FAIL";
  const cells = [`  ${rule.padEnd(46)}`, share.padStart(28), when.padStart(22), (target ?? "").padStart(26), verdict];
  return cells.join(" ").trimEnd();
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`;
}
