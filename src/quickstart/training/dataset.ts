import { createHash } from "node:crypto";
import type { Parsed } from "../../core/error.ts";
import { element } from "./element.ts";

/** A table of numbers with a binary label. */
export interface Dataset {
  featureNames: readonly string[];
  labelName: string;
  /** One entry per row, as 32-bit floats, because that is what a model is served. */
  rows: readonly Float32Array[];
  /** 0 or 1, one per row. */
  labels: readonly number[];
}

export interface DatasetSplit {
  train: Dataset;
  holdout: Dataset;
}

/** Reads a CSV with a header line, finite numbers without quotes, and the 0/1 label as its last column. */
export function parseDataset(csvText: string): Parsed<Dataset> {
  const [header = "", ...lines] = csvText.trimEnd().split(/\r?\n/);
  const names = header.split(",").map((name) => name.trim());
  const labelName = names.at(-1) ?? "";
  if (names.length < 2 || names.includes("")) return refusal(1, "expected a header of at least two column names");
  if (new Set(names).size < names.length) return refusal(1, "column names repeat; expected each once");
  if (lines.length === 0) return refusal(2, "expected at least one row below the header");

  const rows: Float32Array[] = [];
  const labels: number[] = [];
  for (const [index, line] of lines.entries()) {
    const cells = line.split(",");
    if (cells.length !== names.length) {
      return refusal(index + 2, `found ${cells.length} columns; expected ${names.length}, as in the header`);
    }
    const wrong = cells.findIndex((cell) => cell.trim() === "" || !Number.isFinite(Number(cell)));
    if (wrong >= 0) return refusal(index + 2, `column ${names[wrong]} is no finite number; expected one`);
    const values = cells.map(Number);
    const label = values.at(-1);
    if (label !== 0 && label !== 1) return refusal(index + 2, `column ${labelName} is neither 0 nor 1`);
    rows.push(Float32Array.from(values.slice(0, -1)));
    labels.push(label);
  }
  return { ok: true, value: { featureNames: names.slice(0, -1), labelName, rows, labels } };
}

/**
 * Keeps `holdoutShare` of each class aside, so that both parts have the same mix. A row's part follows from the seed
 * and its place in the file by a hash, so that the split is the same on every machine and in every version of Node.
 */
export function splitDataset(dataset: Dataset, options: { seed: number; holdoutShare: number }): DatasetSplit {
  const holdout: number[] = [];
  const train: number[] = [];
  for (const label of [0, 1]) {
    const shuffled = dataset.labels
      .flatMap((value, index) => (value === label ? [{ index, order: hash(`${options.seed}/${index}`) }] : []))
      .sort((a, b) => (a.order < b.order ? -1 : 1))
      .map((entry) => entry.index);
    const cut = Math.round(shuffled.length * options.holdoutShare);
    holdout.push(...shuffled.slice(0, cut));
    train.push(...shuffled.slice(cut));
  }
  return { train: subset(dataset, train), holdout: subset(dataset, holdout) };
}

/** The rows at these indices, in the order of the file. */
export function subset(dataset: Dataset, indices: readonly number[]): Dataset {
  const sorted = [...indices].sort((a, b) => a - b);
  return {
    ...dataset,
    rows: sorted.map((index) => element(dataset.rows, index)),
    labels: sorted.map((index) => element(dataset.labels, index)),
  };
}

/** The mean of every column: the row that a warm-up asks about. */
export function meanRow(rows: readonly Float32Array[]): Float32Array {
  const sums = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows) for (const [column, value] of row.entries()) sums[column] = element(sums, column) + value;
  return Float32Array.from(sums, (sum) => sum / rows.length);
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function refusal(line: number, message: string): Parsed<Dataset> {
  return { ok: false, problem: { path: "", message: `CSV line ${line}: ${message}` } };
}
