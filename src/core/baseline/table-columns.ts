import type { Parsed } from "../error.ts";

/** What the values of a column have in common. */
export interface Column {
  name: string;
  /** Every cell that is not empty is a finite number. */
  isNumeric: boolean;
  /** Every cell that is not empty is a whole number. */
  isWhole: boolean;
  /** Every cell that is not empty is 0, 1, true or false. */
  isBoolean: boolean;
  hasEmpty: boolean;
}

const COLUMNS_MAX = 10_000;
/** A worker goes through them in about a second; a baseline needs a fraction of either. */
const ROWS_MAX = 1_000_000;
const CELLS_MAX = 5_000_000;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const WHOLE = /^[+-]?\d+$/;
const BOOLEAN = /^(0|1|true|false)$/i;

/**
 * The columns of a table in CSV with a header (RFC 4180; line feeds alone will do), each cell looked at once. No cell's
 * content ever stands in a problem: a baseline holds people's data.
 */
export function readColumns(csv: Uint8Array): Parsed<{ columns: Column[]; rows: number }> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(csv);
  } catch {
    return problem("the baseline is not CSV in UTF-8");
  }
  const records = new Records(text);
  const header = records.next();
  if (header === null || header.every((name) => name.trim() === "")) return problem("the baseline has no header");
  const names = header.map((name) => name.trim());
  if (names.length > COLUMNS_MAX) return problem(`the baseline has more than ${COLUMNS_MAX} columns`);
  if (names.includes("")) return problem(`column ${names.indexOf("") + 1} of the baseline has no name`);
  if (new Set(names).size < names.length) return problem("two columns of the baseline have the same name");
  const columns = names.map((name) => ({ name, isNumeric: true, isWhole: true, isBoolean: true, hasEmpty: false }));
  let rows = 0;
  for (let record = records.next(); record !== null; record = records.next()) {
    if (record.length !== columns.length) {
      return problem(`row ${rows + 1} of the baseline has ${record.length} values and the header ${columns.length}`);
    }
    rows += 1;
    if (rows > ROWS_MAX || rows * columns.length > CELLS_MAX) {
      return problem(`the baseline has more than ${ROWS_MAX} rows or ${CELLS_MAX} values; a sample of it will do`);
    }
    for (const [at, column] of columns.entries()) look(column, record[at]?.trim() ?? "");
  }
  if (records.isBroken) return problem("a quoted value of the baseline does not end");
  return rows === 0 ? problem("the baseline has no row") : { ok: true, value: { columns, rows } };
}

function look(column: Column, cell: string): void {
  if (cell === "") {
    column.hasEmpty = true;
    return;
  }
  column.isNumeric &&= NUMBER.test(cell) && Number.isFinite(Number(cell));
  column.isWhole &&= WHOLE.test(cell);
  column.isBoolean &&= BOOLEAN.test(cell);
}

/** Cuts a text into records. Most lines hold no quote, and are cut at their commas. */
class Records {
  isBroken = false;
  readonly #text: string;
  #at: number;

  constructor(text: string) {
    this.#text = text;
    this.#at = text.startsWith("\ufeff") ? 1 : 0;
  }

  /** The next record; empty lines are none. null at the end. */
  next(): string[] | null {
    while (this.#at < this.#text.length) {
      const end = this.#text.indexOf("\n", this.#at);
      const line = this.#text.slice(this.#at, end === -1 ? undefined : end).replace(/\r$/, "");
      if (line.includes('"')) return this.#quoted();
      this.#at = end === -1 ? this.#text.length : end + 1;
      if (line.trim() !== "") return line.split(",");
    }
    return null;
  }

  #quoted(): string[] | null {
    const cells: string[] = [];
    for (;;) {
      const cell = this.#text[this.#at] === '"' ? this.#inQuotes() : this.#bare();
      if (cell === null) return null;
      cells.push(cell);
      const mark = this.#text[this.#at];
      this.#at += 1;
      if (mark !== ",") return cells;
    }
  }

  #bare(): string {
    const from = this.#at;
    while (this.#at < this.#text.length && !",\n".includes(this.#text.charAt(this.#at))) this.#at += 1;
    return this.#text.slice(from, this.#at);
  }

  #inQuotes(): string | null {
    let cell = "";
    for (;;) {
      const end = this.#text.indexOf('"', this.#at + 1);
      if (end === -1) {
        this.isBroken = true;
        this.#at = this.#text.length;
        return null;
      }
      cell += this.#text.slice(this.#at + 1, end);
      this.#at = end + 1;
      if (this.#text[this.#at] !== '"') return cell + this.#bare();
      cell += '"';
    }
  }
}

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
