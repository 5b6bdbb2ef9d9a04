import { robustDistance } from "../../../src/core/monitor/drift/cell-distance.ts";
import { quantileDistances, sortedDistances } from "../../../src/core/monitor/drift/sample-distance.ts";
import { momentsOf } from "../../../src/core/monitor/statistics/compensated-sum.ts";
import { kolmogorovSmirnovPValue } from "../../../src/core/monitor/statistics/kolmogorov.ts";

/** What the rules look at of one column. */
interface Look {
  rows: { baseline: number; current: number };
  kolmogorovSmirnov: number;
  pValue: number;
  /** In deviations of the baseline. */
  wasserstein: number;
  psi: number;
}

const PSI_PARTS = 10;

/** Both samples in ascending order. */
export function lookAt(baseline: Float64Array, current: Float64Array): Look {
  const rows = { baseline: baseline.length, current: current.length };
  const { kolmogorovSmirnov, wasserstein } = sortedDistances(baseline, current);
  return {
    rows,
    kolmogorovSmirnov,
    // The asymptotic chance: from 500 rows on it is right to a few per cent.
    pValue: kolmogorovSmirnovPValue(kolmogorovSmirnov, rows, { exactStepsMax: 0 }).pValue,
    wasserstein: wasserstein / momentsOf(baseline).standardDeviation,
    psi: quantileDistances(baseline, current, PSI_PARTS).populationStability,
  };
}

/** Whether the columns of a table, together, are said to have drifted. */
type DriftRule = (columns: readonly Look[]) => boolean;

const isFarForEvidently = ({ wasserstein }: Look): boolean => wasserstein >= 0.1;

/**
 * Rules that look once at a table of numbers, as their documentation has them by default:
 *
 * - Evidently: with more than 1,000 rows of reference Wasserstein's distance in deviations of the reference, drifted
 *   from 0.1 on (docs.evidentlyai.com, "Data drift algorithm"); the data set has drifted when half of its columns have.
 * - SageMaker Model Monitor: `comparison_method` Robust with `comparison_threshold` 0.1, i.e. the Kolmogorov-Smirnov
 *   distance less what samples of such sizes differ by anyhow (its documentation of constraints.json; awslabs/deequ,
 *   `Distance.scala`).
 * - Kolmogorov-Smirnov at 5 %, for each column or divided among them; PSI over ten parts of the baseline above 0.2.
 */
export const DRIFT_RULES: Readonly<Record<string, DriftRule>> = {
  "Evidently, any column": (columns) => columns.some(isFarForEvidently),
  "Evidently, half of the columns": (columns) => columns.filter(isFarForEvidently).length >= columns.length / 2,
  "SageMaker, Robust .1": (columns) =>
    columns.some(({ kolmogorovSmirnov, rows }) => robustDistance(kolmogorovSmirnov, rows) > 0.1),
  "KS p < .05": (columns) => columns.some(({ pValue }) => pValue < 0.05),
  "KS p < .05, Bonferroni": (columns) => columns.some(({ pValue }) => pValue < 0.05 / columns.length),
  "PSI > .2": (columns) => columns.some(({ psi }) => psi > 0.2),
};
