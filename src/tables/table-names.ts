import { shownName, tableError } from "./table-error.ts";

const COLUMNS_MAX = 10_000;
const CELLS_PER_BATCH = 64 * 1024;

/** So many rows that a batch is large enough to be worth its loops and small enough to stay in the cache. */
export function rowsPerBatch(columns: number): number {
  return Math.max(16, Math.min(4096, Math.floor(CELLS_PER_BATCH / Math.max(1, columns))));
}

/** Each column has a name of its own. Errors: `malformed`. */
export function checkNames(names: readonly string[]): void {
  const seen = new Set<string>();
  for (const [at, name] of names.entries()) {
    checkName(name, at);
    if (seen.has(name)) throw tableError("malformed", `two columns have the same name, "${shownName(name)}"`);
    seen.add(name);
  }
}

/** The name of one more column, which stands at `at` from 0. Errors: `malformed`. */
export function checkName(name: string | undefined, at: number): void {
  if (at >= COLUMNS_MAX) throw tableError("malformed", `the table has more than ${COLUMNS_MAX} columns`);
  // A damaged Parquet file may leave the name out.
  if (name === undefined || name === "") throw tableError("malformed", `column ${at + 1} of the table has no name`);
  if (name.includes("\0") || !name.isWellFormed())
    throw tableError("malformed", `the name of column ${at + 1} of the table is no text`);
}
