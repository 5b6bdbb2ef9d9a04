import { spawnSync } from "node:child_process";
import type { RowShape } from "../src/core/monitor/capture/captured-inference.ts";
import { parseCapturedLine } from "../src/core/monitor/capture/parse-captured-line.ts";
import { readRows } from "../src/core/monitor/capture/read-rows.ts";
import { BinIndex } from "../src/core/monitor/sketch/bin-index.ts";
import { KllSketch } from "../src/core/monitor/sketch/kll-sketch.ts";
import { numberProfile } from "../src/core/monitor/sketch/number-profile.ts";
import { RowLayout, RowSketch } from "../src/core/monitor/sketch/row-sketch.ts";
import {
  type BenchOptions,
  type Figure,
  findProgram,
  type Measurement,
  median,
  must,
  seededRandom,
} from "./measure.ts";

const BASELINE_ROWS = 10_000;
const ROUNDS = 5;
const EXACT = "every value kept, sorted at the end, no bound";

/** Columns of three kinds: continuous, heavy in its tail, a code. */
const KINDS = [
  (draw: number) => draw * 1000,
  (draw: number) => Math.round(-Math.log(1 - draw) * 1e4) / 100,
  (draw: number) => Math.floor(draw * 12),
];

interface Wide {
  columns: number;
  layout: RowLayout;
  shape: RowShape;
  lines: string[];
  rows: number[][];
}

/**
 * What it costs to look at a captured request (reading the line, its row, and counting it), beside keeping all values
 * exactly; what two sketches cost to merge, keep and read; and what they need of memory.
 */
export const measureSketches: Measurement = async (options) => {
  const figures: Figure[] = [];
  for (const columns of [30, 200]) {
    const wide = wideOf(columns, options.quick ? 2000 : 10_000);
    figures.push(...requestFigures(wide, options));
    if (columns === 200) figures.push(...mergeFigures(wide, options));
  }
  figures.push(...valueFigures(options));
  return figures;
};

function wideOf(columns: number, requests: number): Wide {
  const random = seededRandom(7);
  const names = Array.from({ length: columns }, (_, at) => `feature_${at}`);
  const value = (at: number) => (KINDS[at % KINDS.length] ?? Number)(random());
  const profiles = names.map((name, at) => {
    const sorted = Float64Array.from({ length: BASELINE_ROWS }, () => value(at)).sort();
    return numberProfile({ name, rows: BASELINE_ROWS, missing: 0, sorted });
  });
  const rows = Array.from({ length: requests }, () => names.map((_, at) => value(at)));
  const answer = { problem: "binary", prediction: null, probability: null } as const;
  const shape: RowShape = { columns: names, optional: [], answer };
  return { columns, layout: new RowLayout(profiles), shape, lines: rows.map(lineOf), rows };
}

/** As the data plane writes it. */
function lineOf(row: readonly number[], at: number): string {
  const body = { observedContentType: "application/json", encoding: "JSON" };
  return JSON.stringify({
    captureData: {
      endpointInput: { ...body, data: JSON.stringify({ instances: [row] }), mode: "INPUT" },
      endpointOutput: { ...body, data: '{"predictions":[0.25]}', mode: "OUTPUT" },
    },
    eventMetadata: { eventId: `7a7c6f5e-${at}`, inferenceTime: "2030-01-31T12:00:00.000Z" },
    eventVersion: "0",
    continuum: {
      ...{ requestId: `0a1b2c3d4e5f-${at}`, variant: "01JABCDEF", role: "stable", modelVersion: "1.0.0" },
      ...{ candidateProbability: 0.1, status: 200, latencyMs: 1.25 },
    },
  });
}

function rowsOf(line: string, shape: RowShape): readonly (readonly unknown[])[] {
  const parsed = parseCapturedLine(line);
  must(parsed.ok, "the line is a record");
  const { rows } = readRows(parsed.value, shape);
  must(rows.length === 1, "it holds a row");
  return rows;
}

function requestFigures(wide: Wide, { quick, say }: BenchOptions): Figure[] {
  const { columns, lines, rows, layout, shape } = wide;
  const samples = { read: [] as number[], whole: [] as number[], sketch: [] as number[], exact: [] as number[] };
  for (let round = quick ? -1 : -2; round < ROUNDS; round += 1) {
    const each = {
      read: microsOf(() => {
        for (const line of lines) rowsOf(line, shape);
      }),
      whole: microsOf(() => {
        const sketch = new RowSketch(layout);
        for (const line of lines) for (const row of rowsOf(line, shape)) sketch.add(row);
        must(sketch.rows === lines.length, "every request was counted");
      }),
      sketch: microsOf(() => {
        const sketch = new RowSketch(layout);
        for (const row of rows) sketch.add(row);
      }),
      exact: microsOf(() => keepAll(rows, columns)),
    };
    for (const [what, micros] of Object.entries(each)) {
      if (round >= 0) samples[what as keyof typeof samples].push(micros / lines.length);
    }
  }
  const [read, whole] = [median(samples.read), median(samples.whole)];
  say(`${columns} features: ${whole.toFixed(1)} µs a captured request, ${read.toFixed(1)} of them for reading it`);
  const name = (what: string) => `monitor, ${what}, ${columns} features`;
  const nothing = { peer: "none: the record is our own", peerValue: null, aim: null };
  return [
    { name: name("processor time a captured request"), value: whole, unit: "µs", ...nothing },
    { name: name("of which reading the record"), value: read, unit: "µs", ...nothing },
    {
      ...{ name: name("counting a row in all sketches"), value: median(samples.sketch), unit: "µs" },
      ...{ peer: EXACT, peerValue: median(samples.exact), aim: null },
    },
  ];
}

/** The same knowledge without sketches: all values by column in order, and how often each came. */
function keepAll(rows: readonly (readonly number[])[], columns: number): void {
  const kept = Array.from({ length: columns }, () => new Float64Array(rows.length));
  const counts = Array.from({ length: columns }, () => new Map<number, number>());
  for (const [at, row] of rows.entries()) {
    for (let column = 0; column < columns; column += 1) {
      const value = row[column] ?? 0;
      const values = kept[column];
      if (values !== undefined) values[at] = value;
      const count = counts[column];
      count?.set(value, (count.get(value) ?? 0) + 1);
    }
  }
  for (const values of kept) values.sort();
  must(kept[0]?.length === rows.length, "all are kept");
}

function mergeFigures({ columns, rows, layout }: Wide, { quick }: BenchOptions): Figure[] {
  const half = rows.length / 2;
  const sketchOf = (part: readonly (readonly number[])[], seed: number) => {
    const sketch = new RowSketch(layout, seed);
    for (const row of part) sketch.add(row);
    return sketch;
  };
  const bytes = [sketchOf(rows.slice(0, half), 1).encode(), sketchOf(rows.slice(half), 2).encode()] as const;
  const parts = [sorted(rows.slice(0, half), columns), sorted(rows.slice(half), columns)] as const;
  const samples = { merge: [] as number[], encode: [] as number[], decode: [] as number[], exact: [] as number[] };
  let memoryBytes = 0;
  for (let round = -1; round < (quick ? 3 : 9); round += 1) {
    const [one, other] = [RowSketch.decode(layout, bytes[0]), RowSketch.decode(layout, bytes[1])];
    const merge = microsOf(() => one.merge(other));
    must(one.rows === rows.length, "both are in it");
    memoryBytes = one.memoryBytes;
    const each = {
      merge,
      encode: microsOf(() => one.encode()),
      decode: microsOf(() => RowSketch.decode(layout, bytes[0])),
      exact: microsOf(() => {
        for (const [at, values] of parts[0].entries()) Float64Array.from([...values, ...(parts[1][at] ?? [])]).sort();
      }),
    };
    for (const [what, micros] of Object.entries(each))
      if (round >= 0) samples[what as keyof typeof samples].push(micros / 1000);
  }
  const size = bytes[0].byteLength / 1024;
  const raw = { peer: "8 bytes a value", peerValue: (rows.length * columns * 8) / 1024 };
  const alone = { peer: "none: the form is our own", peerValue: null, aim: null };
  const rowsEach = half.toLocaleString("en-US");
  return [
    {
      ...{ name: `monitor, merging two sketches of ${columns} features, ${rowsEach} rows each`, unit: "ms" },
      ...{
        value: median(samples.merge),
        peer: "sorting all values again",
        peerValue: median(samples.exact),
        aim: null,
      },
    },
    { name: `monitor, writing a sketch of ${columns} features`, value: median(samples.encode), unit: "ms", ...alone },
    { name: `monitor, reading a sketch of ${columns} features`, value: median(samples.decode), unit: "ms", ...alone },
    {
      ...{ name: `monitor, a stored sketch of ${columns} features, ${rowsEach} rows`, value: size, unit: "KB" },
      ...{ ...raw, peerValue: raw.peerValue / 2, aim: null },
    },
    {
      ...{ name: `monitor, memory of a sketch of ${columns} features`, value: memoryBytes / 1024, unit: "KB" },
      ...{ ...raw, peer: `8 bytes a value after ${rows.length.toLocaleString("en-US")} rows`, aim: null },
    },
  ];
}

function sorted(rows: readonly (readonly number[])[], columns: number): Float64Array[] {
  return Array.from({ length: columns }, (_, at) => Float64Array.from(rows, (row) => row[at] ?? 0).sort());
}

/** A million values into a baseline's bins and into ranks, beside numpy doing the same where there is one. */
function valueFigures({ quick, say }: BenchOptions): Figure[] {
  const count = quick ? 200_000 : 1_000_000;
  const random = seededRandom(11);
  const baseline = Float64Array.from({ length: BASELINE_ROWS }, () => random() ** 3).sort();
  const values = Float64Array.from({ length: count }, () => random() ** 3);
  const { edges } = numberProfile({ name: "x", rows: BASELINE_ROWS, missing: 0, sorted: baseline });
  const index = new BinIndex(edges);
  const bins: number[] = [];
  const ranks: number[] = [];
  const sorts: number[] = [];
  for (let round = -1; round < ROUNDS; round += 1) {
    const counts = new Float64Array(edges.length + 1);
    const binned = microsOf(() => {
      for (const value of values) {
        const bin = index.binOf(value);
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
    });
    must(counts.reduce((sum, one) => sum + one, 0) === count, "every value is in a bin");
    const sketch = new KllSketch();
    const ranked = microsOf(() => {
      for (const value of values) sketch.add(value);
    });
    const sort = microsOf(() => values.slice().sort());
    must(Math.abs((sketch.rank(0.125) ?? 0) - 0.5) < 0.01, "half of the values are below the median");
    if (round < 0) continue;
    bins.push(binned / 1000);
    ranks.push(ranked / 1000);
    sorts.push(sort / 1000);
  }
  const numpy = numpyMillis(edges.length, count);
  if (numpy === undefined) say("numpy is not installed: its figures are left out");
  const name = (what: string) => `monitor, ${count.toLocaleString("en-US")} values ${what}`;
  return [
    {
      ...{ name: name(`into ${edges.length + 1} bins of a baseline`), value: median(bins), unit: "ms" },
      ...{ peer: "numpy.histogram, all at once", peerValue: numpy ?? null, aim: null },
    },
    {
      ...{ name: name("into a KLL sketch (k 2,048)"), value: median(ranks), unit: "ms" },
      ...{ peer: "sorting all of them", peerValue: median(sorts), aim: null },
    },
  ];
}

const NUMPY = `
import sys, time
import numpy
edges, count, rounds = (int(word) for word in sys.argv[1:4])
random = numpy.random.default_rng(11)
sides = numpy.unique(numpy.concatenate(([-1.0], numpy.quantile(random.random(10000) ** 3, numpy.linspace(0, 1, edges)), [2.0])))
values = random.random(count) ** 3
times = []
for _ in range(rounds):
    start = time.process_time()
    counts, _ = numpy.histogram(values, bins=sides)
    times.append((time.process_time() - start) * 1000)
    assert counts.sum() == count
print(sorted(times)[rounds // 2])
`;

function numpyMillis(edges: number, count: number): number | undefined {
  const python = process.env["CONTINUUM_BENCH_PYTHON"] ?? findProgram("python3");
  if (python === undefined) return undefined;
  const able = spawnSync(python, ["-c", "import numpy"], { stdio: "ignore" }).status === 0;
  // Whoever names a Python means it.
  must(able || process.env["CONTINUUM_BENCH_PYTHON"] === undefined, `${python} can import numpy`);
  if (!able) return undefined;
  const ran = spawnSync(python, ["-c", NUMPY, String(edges), String(count), String(ROUNDS)], { encoding: "utf8" });
  must(ran.status === 0, `numpy counts: ${ran.stderr}`);
  return Number(ran.stdout);
}

/** Processor time of this process, in microseconds. */
function microsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
