import { seededDraws } from "../core/monitor/sketch/seeded-draws.ts";
import { element } from "./training/element.ts";

/** Each number of a row that is drawn again lies within this share of what was measured. */
export const MEASURED_WITHIN = 0.02;
/** The other unit of length is so many times the one of the table. */
export const UNIT_RATIO = 10;

/**
 * Rows without end from a table that has few: each is one of the table's, drawn at random, with every number measured
 * again. To ask for a few hundred rows for ever would be a distribution of its own, which any good test tells from
 * another few hundred; rows that are drawn alike are alike. The same seed gives the same rows.
 */
export class DrawnRows {
  readonly #pool: readonly Float32Array[];
  readonly #uniform: () => number;

  constructor(pool: readonly Float32Array[], seed: number) {
    this.#pool = pool;
    this.#uniform = seededDraws(seed);
  }

  next(): number[] {
    const row = element(this.#pool, Math.floor(this.#uniform() * this.#pool.length));
    return Array.from(row, (value) => rounded(value * (1 + MEASURED_WITHIN * (2 * this.#uniform() - 1))));
  }

  take(count: number): number[][] {
    return Array.from({ length: count }, () => this.next());
  }
}

/** Of each column: 1 for a length, 2 for an area, 0 for what has no unit or whose unit nobody changes. */
export function dimensionsOf(featureNames: readonly string[]): number[] {
  return featureNames.map((name) => (/radius|perimeter/.test(name) ? 1 : /area/.test(name) ? 2 : 0));
}

/** The same mass as a device tells it that has the other unit of length. */
export function inAnotherUnit(row: ArrayLike<number>, dimensions: readonly number[]): number[] {
  return Array.from(row, (value, column) => rounded(value / UNIT_RATIO ** element(dimensions, column)));
}

/** As many digits as the table itself has at most. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
