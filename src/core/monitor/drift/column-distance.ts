import type { DriftMethod } from "../../plan/monitor-settings.ts";
import { binnedKolmogorovSmirnov, binnedWasserstein } from "./binned-distance.ts";
import { balancedV, jensenShannon, lInfinity, populationStability } from "./cell-distance.ts";
import { type ColumnPair, cellsOf, namedCells } from "./column-cells.ts";

/** The distance by one method between a column and its baseline; of numbers in the method's unit, see `THRESHOLDS`. */
export function columnDistance(pair: ColumnPair, method: DriftMethod): number {
  switch (method) {
    case "psi": {
      const { baseline, current } = cellsOf(pair);
      return populationStability(baseline, current);
    }
    case "jensen-shannon": {
      const { baseline, current } = cellsOf(pair);
      return jensenShannon(baseline, current);
    }
    case "chi-square": {
      const { baseline, current } = cellsOf(pair);
      return balancedV(baseline, current);
    }
    case "ks":
    case "l-infinity":
      return greatestDifference(pair);
    case "wasserstein":
      return pair.kind === "number"
        ? binnedWasserstein(pair.profile, pair.counts) / (pair.profile.standardDeviation ?? 0)
        : Number.NaN;
  }
}

/** Of numbers between the distribution functions, as SageMaker takes it; of categories between their shares. */
function greatestDifference(pair: ColumnPair): number {
  if (pair.kind === "number") return binnedKolmogorovSmirnov(pair.profile, pair.counts);
  const { cells, rest } = namedCells(pair);
  return lInfinity(cells.baseline, cells.current, rest);
}
