import { seededDraws } from "../sketch/seeded-draws.ts";

const ROWS_MIN = 10_000;
const ROWS_MAX = 1_000_000;

/**
 * Which rows of a stream are kept when only so many can be: each with the same chance (Vitter, "Random Sampling with a
 * Reservoir", 1985, algorithm R). The same table gives the same rows, because the draws are seeded.
 */
export class SampledRows {
  readonly capacity: number;
  readonly #draw = seededDraws(1);
  #seen = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** For tables of so many columns, so that about `valuesMax` values are kept in all. */
  static forColumns(columns: number, valuesMax: number): SampledRows {
    const rows = Math.floor(valuesMax / Math.max(1, columns));
    return new SampledRows(Math.min(ROWS_MAX, Math.max(ROWS_MIN, rows)));
  }

  /** For each of the next rows its place among those that are kept, or -1. A later row takes the place of an earlier. */
  places(rows: number): Int32Array {
    const places = new Int32Array(rows);
    for (let at = 0; at < rows; at += 1) {
      const place = this.#seen < this.capacity ? this.#seen : Math.floor(this.#draw() * (this.#seen + 1));
      places[at] = place < this.capacity ? place : -1;
      this.#seen += 1;
    }
    return places;
  }

  get seen(): number {
    return this.#seen;
  }

  get isWhole(): boolean {
    return this.#seen <= this.capacity;
  }
}
