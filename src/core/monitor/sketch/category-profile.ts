import { CATEGORIES_MAX, type CategoryProfile } from "./column-profile.ts";
import type { FrequentValues } from "./frequent-values.ts";

/**
 * The profile of a column of texts. What is no category among the most frequent `CATEGORIES_MAX`, or cannot be told
 * exactly, is among the other rows.
 */
export function categoryProfile(given: {
  name: string;
  rows: number;
  missing: number;
  /** Rows that have a category. */
  present: number;
  distinct: number;
  values: FrequentValues;
}): CategoryProfile {
  const { values, present, ...rest } = given;
  const categories = values.top(CATEGORIES_MAX).flatMap(({ value, count, overcount }) => {
    const atLeast = count - overcount;
    return atLeast > 0 ? [{ value, count: atLeast }] : [];
  });
  const listed = categories.reduce((sum, { count }) => sum + count, 0);
  return { kind: "category", ...rest, categories, otherRows: present - listed };
}
