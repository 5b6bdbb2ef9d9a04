/**
 * One cell of a table. CSV has text alone, so what a cell is meant to be never depends on its type: a text that reads as
 * a number is one (`numberOf`). null is a missing value.
 */
export type Cell = string | number | boolean | null;

/** Some rows of a table, column by column: so many thousands of rows are gone through in tight loops. */
export interface TableBatch {
  /**
   * The columns in the order in which they were first seen. A table whose rows name their columns may bring more of
   * them later; rows before lack them.
   */
  names: readonly string[];
  /** As long as `names`; each as long as `rows`. */
  columns: readonly (readonly Cell[])[];
  rows: number;
}
