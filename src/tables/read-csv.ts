import type { TableBatch } from "../core/monitor/dataset/table-batch.ts";
import { CsvRecords } from "./csv-records.ts";
import { tableError } from "./table-error.ts";
import { checkNames, rowsPerBatch } from "./table-names.ts";

/**
 * CSV in UTF-8 with a header. Cells are text as written, without the space around it; an empty one is missing. Each row
 * has as many values as the header. Errors: `malformed`.
 */
export async function* readCsv(texts: AsyncIterable<string>): AsyncGenerator<TableBatch> {
  const records = new CsvRecords();
  let batches: BatchOfRows | undefined;
  const header = (record: string[]) => {
    const names = record.map((name) => name.trim());
    if (names.every((name) => name === "")) throw tableError("malformed", "the table has no header");
    checkNames(names);
    return new BatchOfRows(names);
  };
  for await (const text of texts) {
    records.push(text);
    for (let record = records.next(); record !== null; record = records.next()) {
      if (batches === undefined) batches = header(record);
      else batches.add(record, records.line);
      if (batches.isFull) yield batches.take();
    }
  }
  records.end();
  for (let record = records.next(); record !== null; record = records.next()) {
    if (batches === undefined) batches = header(record);
    else batches.add(record, records.line);
  }
  if (batches === undefined) throw tableError("malformed", "the table has no header");
  yield batches.take();
}

class BatchOfRows {
  readonly #names: readonly string[];
  readonly #rowsMax: number;
  #columns: (string | null)[][];
  #rows = 0;
  #row = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#rowsMax = rowsPerBatch(names.length);
    this.#columns = names.map(() => []);
  }

  get isFull(): boolean {
    return this.#rows >= this.#rowsMax;
  }

  add(record: readonly string[], line: number): void {
    this.#row += 1;
    if (record.length !== this.#names.length) {
      const found = `it has ${record.length} value${record.length === 1 ? "" : "s"} and the header ${this.#names.length}`;
      throw tableError("malformed", found, { line, row: this.#row });
    }
    for (let at = 0; at < record.length; at += 1) {
      const cell = (record[at] ?? "").trim();
      this.#columns[at]?.push(cell === "" ? null : cell);
    }
    this.#rows += 1;
  }

  take(): TableBatch {
    const batch = { names: this.#names, columns: this.#columns, rows: this.#rows };
    this.#columns = this.#names.map(() => []);
    this.#rows = 0;
    return batch;
  }
}
