import { isDeepStrictEqual } from "node:util";
import { escapeSegment } from "./json-pointer.ts";
import type { Plan } from "./schema.ts";

export interface PlanDifference {
  /** JSON pointer into the plan with defaults. */
  path: string;
  /** null where the first plan has nothing there. */
  before: unknown;
  /** null where the second plan has nothing there. */
  after: unknown;
}

/** What changed from one plan to another, leaf by leaf, in the order of the paths. A list is one value. */
export function diffPlans(before: Plan, after: Plan): PlanDifference[] {
  return differences(before, after, "").sort((a, b) => (a.path < b.path ? -1 : 1));
}

function differences(before: unknown, after: unknown, path: string): PlanDifference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isMapping(before) || !isMapping(after)) return [{ path, before: before ?? null, after: after ?? null }];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differences(before[key], after[key], `${path}/${escapeSegment(key)}`));
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
