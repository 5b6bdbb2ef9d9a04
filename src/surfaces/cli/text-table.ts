import { shown } from "./printable.ts";

/** One column: its heading, and what a row shows there. */
export interface Column<Row> {
  heading: string;
  value(row: Row): unknown;
}

/** Left-aligned columns, two spaces apart. `empty` is said when there is no row. */
export function textTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty: string): string {
  if (rows.length === 0) return `${empty}\n`;
  const lines = [
    columns.map((column) => column.heading),
    ...rows.map((row) => columns.map((column) => shown(column.value(row)))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** Names and values of one thing, one a line; undefined values are left out. */
export function textRecord(fields: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${shown(value)}\n`).join("");
}
