/**
 * Chances of one test each, corrected for how many were made together. A NaN stands for a test that could not be made:
 * it stays NaN and counts as none.
 */

/** Each times the number of tests, at most 1: the chance of any false alarm is below the limit, whatever depends on what. */
export function bonferroni(pValues: readonly number[]): number[] {
  const tests = pValues.filter((pValue) => !Number.isNaN(pValue)).length;
  return pValues.map((pValue) => Math.min(1, pValue * tests));
}

/**
 * Benjamini & Hochberg, J. R. Stat. Soc. B 57 (1995), 289-300, as adjusted values: the k-th smallest of m times m/k, and
 * never above that of a larger one. At a limit q the expected share of false ones among those found is at most q for
 * independent and for positively dependent tests; where nothing has changed, so is the chance of finding any.
 */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  const order = pValues.flatMap((pValue, index) => (Number.isNaN(pValue) ? [] : [{ pValue, index }]));
  order.sort((a, b) => b.pValue - a.pValue);
  const adjusted = pValues.map(() => Number.NaN);
  let least = 1;
  for (const [place, { pValue, index }] of order.entries()) {
    least = Math.min(least, (pValue * order.length) / (order.length - place));
    adjusted[index] = least;
  }
  return adjusted;
}
