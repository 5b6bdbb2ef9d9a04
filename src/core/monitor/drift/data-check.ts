import type { CategoryProfile } from "../sketch/column-profile.ts";
import { outsideRangePValue, shareAbove } from "../statistics/proportion.ts";
import { baselineValues, type ColumnPair, currentValues } from "./column-cells.ts";

/** What can be wrong with a column before its distribution is looked at. */
export type DataCheckName = "missing" | "type" | "range" | "new-category";

/**
 * How much more of the rows than in the baseline may be so, in share of rows. They are this product's own choice:
 * SageMaker's constraints allow nothing at all above the baseline, and so speak up at a single row.
 */
export const CHECK_LIMITS: Readonly<Record<DataCheckName, number>> = {
  missing: 0.05,
  type: 0.01,
  range: 0.01,
  "new-category": 0.01,
};

export interface DataCheck {
  check: DataCheckName;
  /** Rows of what came that are so, of how many. */
  hits: number;
  of: number;
  /** The share of the baseline's rows that is so, or is to be expected by what the baseline shows. */
  baselineShare: number;
  /** That the excess is chance. */
  pValue: number;
}

/** Every check that this column can have; whether one is a finding is decided when all columns' chances are known. */
export function dataChecks(pair: ColumnPair): DataCheck[] {
  const { profile, counts } = pair;
  const missing = compare(
    "missing",
    { hits: counts.missing, of: counts.rows },
    { hits: profile.missing, of: profile.rows },
  );
  return [missing, typeCheck(pair), pair.kind === "number" ? rangeCheck(pair) : newCategoryCheck(pair)];
}

interface Share {
  hits: number;
  of: number;
}

function compare(check: DataCheckName, current: Share, baseline: Share): DataCheck {
  const baselineShare = baseline.of === 0 ? 0 : baseline.hits / baseline.of;
  return { check, ...current, baselineShare, pValue: shareAbove(current, baseline) };
}

/** A text where numbers were, or, where the baseline has whole numbers alone, a fraction. */
function typeCheck({ profile, counts }: ColumnPair): DataCheck {
  const present = profile.rows - profile.missing;
  const wrongBefore = Math.max(0, present - baselineValues(profile));
  const fractional =
    counts.kind === "number" && profile.kind === "number" && profile.isIntegral ? counts.fractional : 0;
  const current = { hits: counts.mismatched + fractional, of: counts.rows - counts.missing };
  return compare("type", current, { hits: wrongBefore, of: present });
}

/** The baseline's range is a finding from its rows: about 2 of so many more lie outside of it with nothing wrong. */
function rangeCheck({ profile, counts }: ColumnPair & { kind: "number" }): DataCheck {
  const rows = { baseline: baselineValues(profile), current: currentValues(counts) };
  const outside = counts.below + counts.above;
  const baselineShare = rows.baseline === 0 ? 0 : Math.min(1, 2 / (rows.baseline + 1));
  return {
    check: "range",
    hits: outside,
    of: rows.current,
    baselineShare,
    pValue: outsideRangePValue({ ...rows, outside }),
  };
}

/**
 * Rows with a category that the baseline did not have. How many of them are to be expected is told by the categories
 * that it had once (Good, Biometrika 40 (1953), 237-264); so a column of names or ids has no finding. Where its list is
 * too short for all categories, the rows outside of it count as well.
 */
function newCategoryCheck({ profile, counts }: ColumnPair & { kind: "category" }): DataCheck {
  const of = baselineValues(profile);
  const hits = profile.otherRows + seenOnce(profile);
  return compare("new-category", { hits: counts.otherRows, of: currentValues(counts) }, { hits, of });
}

const seenOnce = ({ categories }: CategoryProfile): number => categories.filter(({ count }) => count === 1).length;
