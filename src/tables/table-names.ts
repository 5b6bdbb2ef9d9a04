import { shownName, tableError } from "./table-error.ts";

const COLUMNS_MAX = 10_000;
const CELLS_PER_BATCH = 64 * 1024;

/** So many rows that a batch is large enough to be worth its loops and small enough to stay in the cache. */
export function rowsPerBatch(columns: number): number {
  return Math.max(16, Math.min(4096, Math.floor(CELLS_PER_BATCH / Math.max(1, columns))));
}

/** Each column has a name of its own. Errors: `malformed`. */
export function checkNames(names: readonly string[]): void {
  if (names.length > COLUMNS_MAX) throw tableError("malformed", `the table has more than ${COLUMNS_MAX} columns`);
  const nameless = names.indexOf("");
  if (nameless !== -1) throw tableError("malformed", `column ${nameless + 1} of the table has no name`);
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw tableError("malformed", `two columns have the same name, "${shownName(name)}"`);
    seen.add(name);
  }
}
