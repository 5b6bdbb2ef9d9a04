import { SampledRows } from "./sampled-rows.ts";
import type { Cell, TableBatch } from "./table-batch.ts";

/** Rows of the columns that say what is true, what was answered and of whom: what quality and bias start from. */
export interface AnswerRows {
  /** Of the asked columns, those that the table has. */
  names: readonly string[];
  /** A uniform sample of the table's rows, each in the order of `names`. */
  rows: readonly (readonly Cell[])[];
  /** How many rows the table has. */
  of: number;
}

const ROWS_KEPT = 50_000;

export class AnswerSample {
  readonly #asked: readonly string[];
  readonly #sample = new SampledRows(ROWS_KEPT);
  readonly #rows: Cell[][] = [];
  #names: string[] = [];
  #places: number[] = [];

  constructor(asked: readonly string[]) {
    this.#asked = [...new Set(asked)];
  }

  add(batch: TableBatch): void {
    if (this.#asked.length === 0) return;
    if (this.#names.length < this.#asked.length) this.#find(batch.names);
    if (this.#names.length === 0) {
      this.#sample.places(batch.rows);
      return;
    }
    const places = this.#sample.places(batch.rows);
    for (let at = 0; at < batch.rows; at += 1) {
      const place = places[at] ?? -1;
      if (place >= 0) this.#rows[place] = this.#places.map((column) => batch.columns[column]?.[at] ?? null);
    }
  }

  finish(): AnswerRows {
    const width = this.#names.length;
    // A row from before a column was first named lacks it.
    const rows = Array.from(this.#rows, (row) => Array.from({ length: width }, (_, at) => row?.[at] ?? null));
    return { names: this.#names, rows: width === 0 ? [] : rows, of: this.#sample.seen };
  }

  #find(names: readonly string[]): void {
    for (const name of this.#asked) {
      const at = names.indexOf(name);
      if (at === -1 || this.#names.includes(name)) continue;
      this.#names.push(name);
      this.#places.push(at);
    }
  }
}
