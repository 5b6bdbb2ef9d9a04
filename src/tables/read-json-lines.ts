import type { Cell, TableBatch } from "../core/monitor/dataset/table-batch.ts";
import { tableError } from "./table-error.ts";
import { checkName, rowsPerBatch } from "./table-names.ts";

const LINE_CHARS_MAX = 4 * 1024 * 1024;

/**
 * One JSON object a line. A column that a line does not name is missing in it, as null is. Errors: `malformed`, with the
 * line, and the column where there is one.
 */
export async function* readJsonLines(texts: AsyncIterable<string>): AsyncGenerator<TableBatch> {
  const rows = new NamedRows();
  let rest = "";
  let line = 0;
  for await (const text of texts) {
    rest += text;
    let from = 0;
    for (let end = rest.indexOf("\n", from); end !== -1; end = rest.indexOf("\n", from)) {
      line += 1;
      rows.add(rest.slice(from, end), line);
      from = end + 1;
      if (rows.isFull) yield rows.take();
    }
    rest = rest.slice(from);
    if (rest.length > LINE_CHARS_MAX)
      throw tableError("malformed", `a line has more than ${LINE_CHARS_MAX} characters`, { line: line + 1 });
  }
  rows.add(rest, line + 1);
  yield rows.take();
}

class NamedRows {
  readonly #names: string[] = [];
  readonly #places = new Map<string, number>();
  #rows: Record<string, unknown>[] = [];
  #firstLines: number[] = [];

  get isFull(): boolean {
    return this.#rows.length >= rowsPerBatch(this.#names.length);
  }

  add(text: string, line: number): void {
    if (text.trim() === "") return;
    const row = objectOf(text, line);
    for (const name of Object.keys(row)) {
      if (this.#places.has(name)) continue;
      // Each by itself: every line may bring one more, and all of them again at each would take for ever.
      checkName(name, this.#names.length);
      this.#places.set(name, this.#names.length);
      this.#names.push(name);
    }
    this.#rows.push(row);
    this.#firstLines.push(line);
  }

  take(): TableBatch {
    const columns = this.#names.map(() => new Array<Cell>(this.#rows.length).fill(null));
    for (const [at, row] of this.#rows.entries()) {
      for (const [name, value] of Object.entries(row)) {
        const column = columns[this.#places.get(name) ?? -1];
        if (column !== undefined) column[at] = cellOf(value, { line: this.#firstLines[at] ?? 0, column: name });
      }
    }
    const batch = { names: [...this.#names], columns, rows: this.#rows.length };
    this.#rows = [];
    this.#firstLines = [];
    return batch;
  }
}

/** The parser's own words quote the text, so they are not passed on. */
function objectOf(text: string, line: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw tableError("malformed", "it is no JSON", { line });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw tableError("malformed", "it is no JSON object; each line must be one, with the columns as its keys", {
      line,
    });
  return value as Record<string, unknown>;
}

function cellOf(value: unknown, place: { line: number; column: string }): Cell {
  if (value === null || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "string") return value.trim() === "" ? null : value;
  throw tableError("malformed", "a list or an object is no value of a column", place);
}
