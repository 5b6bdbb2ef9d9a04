import type { ColumnProfile } from "../sketch/column-profile.ts";
import { type AnswerRows, AnswerSample } from "./answer-sample.ts";
import { ColumnAccumulator } from "./column-accumulator.ts";
import { type DatasetConstraints, suggestedConstraints } from "./constraints-file.ts";
import { type ColumnFacts, columnFacts, featureStatistics } from "./feature-statistics.ts";
import { SampledRows } from "./sampled-rows.ts";
import type { DatasetStatistics } from "./statistics-file.ts";
import type { TableBatch } from "./table-batch.ts";

export interface ProfileOptions {
  /**
   * About how many numbers are kept for the profiles' exact order statistics, over all columns; with more, the profiles
   * are those of a uniform sample of the rows. 8 bytes each.
   */
  valuesMax?: number;
  /** Columns that are left out, as if the table had none of them. */
  ignore?: readonly string[];
  /** Columns whose values belong together row by row: label, prediction, probability, facet, group. */
  answers?: readonly string[];
}

/** What one pass over a table tells. */
export interface TableProfile {
  rows: number;
  statistics: DatasetStatistics;
  constraints: DatasetConstraints;
  /** For the monitor: exact, of all rows or of a uniform sample of `profiledRows` of them. */
  profiles: ColumnProfile[];
  profiledRows: number;
  columns: ColumnFacts[];
  /** The asked columns that the table has; a uniform sample of their rows. */
  answers: AnswerRows;
}

const VALUES_MAX = 4_000_000;

/** Goes through a table once, batch by batch, in bounded memory. */
export class DatasetProfiler {
  readonly #valuesMax: number;
  readonly #columns: ColumnAccumulator[] = [];
  readonly #answers: AnswerSample;
  readonly #ignored: ReadonlySet<string>;
  #sample: SampledRows | undefined;
  #rows = 0;

  constructor({ valuesMax = VALUES_MAX, answers = [], ignore = [] }: ProfileOptions = {}) {
    this.#valuesMax = valuesMax;
    this.#answers = new AnswerSample(answers);
    this.#ignored = new Set(ignore);
  }

  add(batch: TableBatch): void {
    this.#sample ??= SampledRows.forColumns(batch.names.length, this.#valuesMax);
    const places = this.#sample.places(batch.rows);
    let kept = 0;
    for (const [at, name] of batch.names.entries()) {
      if (this.#ignored.has(name)) continue;
      const column = this.#columns[kept] ?? new ColumnAccumulator(name, this.#rows, this.#sample.capacity);
      this.#columns[kept] = column;
      column.add(batch.columns[at] ?? [], places);
      kept += 1;
    }
    this.#answers.add(batch);
    this.#rows += batch.rows;
  }

  get rows(): number {
    return this.#rows;
  }

  finish(): TableProfile {
    const isWhole = this.#sample?.isWhole ?? true;
    const statistics = {
      version: 0,
      dataset: { item_count: this.#rows },
      features: this.#columns.map(featureStatistics),
    };
    return {
      rows: this.#rows,
      statistics,
      constraints: suggestedConstraints(this.#columns),
      profiles: this.#columns.map((column) => column.profile(isWhole)),
      profiledRows: Math.min(this.#rows, this.#sample?.capacity ?? 0),
      columns: this.#columns.map(columnFacts),
      answers: this.#answers.finish(),
    };
  }
}
