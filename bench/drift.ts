import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { binnedKolmogorovSmirnov, binnedWasserstein } from "../src/core/monitor/drift/binned-distance.ts";
import { jensenShannon, populationStability } from "../src/core/monitor/drift/cell-distance.ts";
import { cellsOf } from "../src/core/monitor/drift/column-cells.ts";
import { quantileDistances, sortedDistances, sortedSample } from "../src/core/monitor/drift/sample-distance.ts";
import { BinIndex } from "../src/core/monitor/sketch/bin-index.ts";
import type { NumberCounts, NumberProfile } from "../src/core/monitor/sketch/column-profile.ts";
import { Moments } from "../src/core/monitor/sketch/moments.ts";
import { numberProfile } from "../src/core/monitor/sketch/number-profile.ts";
import { kolmogorovSmirnovPValue } from "../src/core/monitor/statistics/kolmogorov.ts";
import { type BenchOptions, type Figure, findProgram, must, scratchFolder, seededRandom } from "./measure.ts";

/** By processor time, as the machine is shared: what drift of a table costs, and how far counting in bins is from it. */

interface Distances {
  kolmogorovSmirnov: number;
  wasserstein: number;
  populationStability: number;
  jensenShannon: number;
}

interface Column {
  baseline: Float64Array;
  current: Float64Array;
}

export async function measureDrift({ quick, say }: BenchOptions): Promise<Figure[]> {
  const size = quick
    ? { columns: 4, baseline: 50_000, current: 200_000 }
    : { columns: 20, baseline: 200_000, current: 1_000_000 };
  const folder = await scratchFolder("drift");
  try {
    // The compiler gets what it needs before anything counts.
    for (let round = 0; round < 3; round++) compare(columnOf(round, { baseline: 20_000, current: 50_000 }));
    const own = compareAll(size, (name, values) => writeFileSync(join(folder.path, `${name}.f64`), values));
    const peer = askScipy(folder.path, size.columns);
    if (peer === undefined) say("no Python with scipy: CONTINUUM_BENCH_PYTHON names one");
    else
      for (const [column, theirs] of peer.distances.entries()) mustAgree(own.exact.distances[column], theirs, column);
    return figuresOf(size, own, peer);
  } finally {
    folder.remove();
  }
}

interface Size {
  columns: number;
  baseline: number;
  current: number;
}

interface Measured {
  seconds: number;
  distances: Distances[];
}

/** Every column by itself, so that memory is that of one. */
function compareAll(size: Size, keep: (name: string, values: Float64Array) => void) {
  const exact: Measured = { seconds: 0, distances: [] };
  const counted: Measured = { seconds: 0, distances: [] };
  for (let column = 0; column < size.columns; column++) {
    const values = columnOf(column, size);
    keep(`${column}-baseline`, values.baseline);
    keep(`${column}-current`, values.current);
    const result = compare(values);
    exact.seconds += result.exact.seconds;
    exact.distances.push(result.exact.distances);
    counted.seconds += result.counted.seconds;
    counted.distances.push({
      ...result.counted.distances,
      // In deviations, as the monitor says it.
      wasserstein:
        (result.counted.distances.wasserstein - result.exact.distances.wasserstein) / result.standardDeviation,
    });
  }
  return { exact, counted };
}

function compare({ baseline, current }: Column) {
  const exact = timed(() => exactDistances(baseline, current));
  const sorted = sortedSample(baseline).sorted;
  const profile = numberProfile({ name: "column", rows: baseline.length, missing: 0, sorted });
  const counted = timed(() => countedDistances(profile, current));
  return { exact, counted, standardDeviation: profile.standardDeviation ?? 1 };
}

function timed(work: () => Distances): { seconds: number; distances: Distances } {
  const before = process.cpuUsage();
  const distances = work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (user + system) / 1e6, distances };
}

function exactDistances(baseline: Float64Array, current: Float64Array): Distances {
  const [a, b] = [sortedSample(baseline).sorted, sortedSample(current).sorted];
  const distances = sortedDistances(a, b);
  const { pValue } = kolmogorovSmirnovPValue(distances.kolmogorovSmirnov, { baseline: a.length, current: b.length });
  must(pValue >= 0 && pValue <= 1, "a chance is between 0 and 1");
  const { populationStability: psi, jensenShannon: divergence } = quantileDistances(a, b);
  return { ...distances, populationStability: psi, jensenShannon: divergence };
}

/** As the monitor does it: each value is counted once as it comes, and forgotten. */
function countedDistances(profile: NumberProfile, current: Float64Array): Distances {
  const counts = countInBins(profile, current);
  const cells = cellsOf({ kind: "number", profile, counts });
  const kolmogorovSmirnov = binnedKolmogorovSmirnov(profile, counts);
  kolmogorovSmirnovPValue(kolmogorovSmirnov, { baseline: profile.rows, current: counts.rows });
  return {
    kolmogorovSmirnov,
    wasserstein: binnedWasserstein(profile, counts),
    populationStability: populationStability(cells.baseline, cells.current),
    jensenShannon: jensenShannon(cells.baseline, cells.current),
  };
}

function countInBins(profile: NumberProfile, values: Float64Array): NumberCounts {
  const index = new BinIndex(profile.edges);
  const bins = new Float64Array(profile.counts.length);
  const moments = new Moments();
  const [min, max] = [profile.min ?? 0, profile.max ?? 0];
  let below = 0;
  let above = 0;
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? 0;
    const bin = index.binOf(value);
    bins[bin] = (bins[bin] ?? 0) + 1;
    if (value < min) below++;
    else if (value > max) above++;
    moments.add(value);
  }
  return {
    ...{ kind: "number", name: profile.name, rows: values.length, missing: 0, mismatched: 0, notCaptured: 0 },
    ...{ distinct: 0, bins, below, above, fractional: 0 },
    ...{ min: moments.min, max: moments.max, mean: moments.mean, m2: moments.m2 },
  };
}

/** Normal, skewed and rounded columns, of which every second one has moved a little. */
function columnOf(column: number, { baseline, current }: Omit<Size, "columns">): Column {
  const random = seededRandom(column + 1);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const shapes = [normal, () => Math.exp(normal()), () => Math.round(normal() * 100)] as const;
  const shape = shapes[column % shapes.length] ?? normal;
  const factor = column % 2 === 0 ? 1 : 1.05;
  return {
    baseline: Float64Array.from({ length: baseline }, shape),
    current: Float64Array.from({ length: current }, () => shape() * factor),
  };
}

interface Peer extends Measured {
  scipy: string;
}

function askScipy(folder: string, columns: number): Peer | undefined {
  const named = process.env["CONTINUUM_BENCH_PYTHON"];
  const python = named ?? findProgram("python3");
  if (python === undefined) return undefined;
  const able = spawnSync(python, ["-c", "import scipy.stats, scipy.spatial"], { stdio: "ignore" }).status === 0;
  // Whoever names a Python means it.
  must(able || named === undefined, `${python} has scipy`);
  if (!able) return undefined;
  const program = fileURLToPath(new URL("./drift.py", import.meta.url));
  const ran = spawnSync(python, [program, folder, String(columns)], { encoding: "utf8" });
  must(ran.status === 0, `scipy computes the distances: ${ran.stderr}`);
  return JSON.parse(ran.stdout);
}

function mustAgree(ours: Distances | undefined, theirs: Distances, column: number): void {
  for (const [name, value] of Object.entries(theirs)) {
    const own = ours?.[name as keyof Distances] ?? Number.NaN;
    must(
      Math.abs(own - value) <= 1e-9 * Math.abs(value),
      `${name} of column ${column} is scipy's ${value}, not ${own}`,
    );
  }
}

function figuresOf(size: Size, own: { exact: Measured; counted: Measured }, peer: Peer | undefined): Figure[] {
  const what = `${size.columns} columns x ${size.current.toLocaleString("en-US")} rows against ${size.baseline.toLocaleString("en-US")}`;
  const by = {
    peer: peer === undefined ? "scipy is not here" : `scipy ${peer.scipy}, the same four distances`,
    peerValue: peer?.seconds ?? null,
  };
  const errors = own.counted.distances.map((counted, column) => ({
    kolmogorovSmirnov: Math.abs(
      counted.kolmogorovSmirnov - (own.exact.distances[column]?.kolmogorovSmirnov ?? Number.NaN),
    ),
    wasserstein: Math.abs(counted.wasserstein),
  }));
  const none = { peer: "the same columns, exactly", peerValue: null };
  return [
    { name: `drift of ${what}, exact`, value: own.exact.seconds, unit: "s", ...by, aim: { ratioBelow: 0.5 } },
    {
      name: `drift of ${what}, counted as it comes`,
      value: own.counted.seconds,
      unit: "s",
      ...by,
      aim: { ratioBelow: 0.1 },
    },
    {
      ...{ name: "greatest error of the counted Kolmogorov-Smirnov distance", unit: "", aim: { below: 0.002 } },
      ...{ value: Math.max(...errors.map((error) => error.kolmogorovSmirnov)), ...none },
    },
    {
      ...{ name: "greatest error of the counted Wasserstein distance", unit: "sd", aim: { below: 0.01 } },
      ...{ value: Math.max(...errors.map((error) => error.wasserstein)), ...none },
    },
  ];
}
