/**
 * One cell of a table. In a `typed` batch a number is a number and a text is a text; in a batch of CSV every cell is
 * text as it was written, and what it is meant to be shows when a whole column was seen. null is a missing value.
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
  isTyped: boolean;
}
