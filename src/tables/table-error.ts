import { ContinuumError, type Parsed } from "../core/error.ts";

/** `malformed`: it is no table of its kind; `too-large`: it has more than the reader was told to take. */
export type TableErrorCode = "malformed" | "too-large";

/** Where in the table: lines count from 1 with the header, rows from 1 without it. */
export interface TablePlace {
  line?: number;
  row?: number;
  column?: string;
}

/**
 * A table that cannot be read. The message says what and where, and never holds the content of a cell: a table holds
 * people's data.
 */
export function tableError(
  code: TableErrorCode,
  message: string,
  place: TablePlace = {},
): ContinuumError<TableErrorCode> {
  return new ContinuumError(code, `${placeText(place)}${message}`, { details: { ...place } });
}

/** A table's fault as a value; whatever else went wrong is thrown on. */
export async function parsedTable<T>(read: () => Promise<T>): Promise<Parsed<T>> {
  try {
    return { ok: true, value: await read() };
  } catch (error) {
    if (!(error instanceof ContinuumError) || !(error.code === "malformed" || error.code === "too-large")) throw error;
    return { ok: false, problem: { path: "", message: error.message } };
  }
}

/** A column's name as a terminal and a log show it: its writer is a stranger. */
export function shownName(name: string): string {
  return name.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "?").slice(0, 64);
}

function placeText({ line, row, column }: TablePlace): string {
  const parts = [
    ...(line === undefined ? [] : [`line ${line}`]),
    ...(row === undefined ? [] : [`row ${row}`]),
    ...(column === undefined ? [] : [`column "${shownName(column)}"`]),
  ];
  return parts.length === 0 ? "" : `${parts.join(", ")}: `;
}
