import { readFileSync } from "node:fs";
import { expect } from "vitest";

/** Numbers as scipy computed them; see make-goldens.py beside the file. */
const FILE = new URL("../../../../../test/fixtures/statistics/goldens.json", import.meta.url);

type Numbers = Record<string, number>;

/** Two samples, with what scipy says of them. */
export interface GoldenSample {
  name: string;
  baseline: number[];
  current: number[];
  statistic: number;
  pValue: number;
  wasserstein: number;
  normed: number | null;
}

export interface Goldens {
  distributions: Record<string, Numbers[]>;
  kolmogorovExact: { baseline: number; current: number; statistic: number; pValue: number }[];
  tables: (Record<"statistic" | "pValue" | "degrees" | "cramersV" | "jensenShannon", number> & {
    baseline: number[];
    current: number[];
    psi?: number;
  })[];
  proportions: {
    intervals: { hits: number; of: number; wilson: [number, number]; exact: [number, number] }[];
    fisher: Record<"hits" | "of" | "before" | "rows" | "pValue", number>[];
  };
  corrections: { pValues: number[]; benjaminiHochberg: number[] }[];
  samples: GoldenSample[];
  withInfinities: GoldenSample;
  largeSamples: Record<
    "baselineRows" | "currentRows" | "shift" | "statistic" | "wasserstein" | "psi" | "jensenShannon" | "chiSquare",
    number
  >[];
}

/** What JSON has no number for is written as Python's text of it. */
const SPECIAL: ReadonlyMap<unknown, number> = new Map([
  ["inf", Number.POSITIVE_INFINITY],
  ["-inf", Number.NEGATIVE_INFINITY],
  ["nan", Number.NaN],
]);

export const goldens: Goldens = JSON.parse(readFileSync(FILE, "utf8"), (_, value) => SPECIAL.get(value) ?? value);

/** Equal up to a billionth of the value; what is below 1e-300 has no more digits to compare. */
export function expectClose(actual: number, expected: number, what: string, relative = 1e-9): void {
  const isClose =
    Object.is(actual, expected) ||
    actual === expected ||
    Math.abs(actual - expected) <= Math.max(relative * Math.abs(expected), 1e-300);
  expect(isClose, `${what}: ${actual} for ${expected}`).toBe(true);
}

/** Uniform numbers in [0, 1), as the generator of the goldens makes them: a hash of the place. */
export function hashed(count: number, seed: number): Float64Array {
  const numbers = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    let mixed = (Math.imul(at + 1, 2654435761) + Math.imul(seed, 40503)) >>> 0;
    mixed = Math.imul(mixed ^ (mixed >>> 15), 2246822519) >>> 0;
    numbers[at] = ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32;
  }
  return numbers;
}
