import type { z } from "zod";
import type { Page } from "../contract/operation.ts";
import type { OperationName } from "../contract/operations.ts";
import { refuse } from "./refusal.ts";

export const PAGE_LIMIT = 50;

/**
 * A cursor is where a list goes on, opaque to its reader. It grants nothing: the tenant and the filters come with every
 * request again, so a forged one can only ask for another place in the same list. One of another list is refused.
 */
export function encodeCursor(list: OperationName, after: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([list, ...after])).toString("base64url");
}

export function decodeCursor<After>(
  list: OperationName,
  cursor: string | undefined,
  shape: z.ZodType<After>,
): After | undefined {
  if (cursor === undefined) return undefined;
  const [from, ...after] = parse(cursor);
  const result = shape.safeParse(after);
  if (from === list && result.success && after.every(isPlace)) return result.data;
  return refuse("malformed-request", "The cursor is not one that this list gave; start again without it.");
}

/** The last moment that a date can tell; positions in a list stay far below. */
const NUMBER_MAX = 8.64e15;

/** A forged place that no row could have would be the database's error, and look like ours. */
function isPlace(part: unknown): boolean {
  if (typeof part === "number") return part >= 0 && part <= NUMBER_MAX;
  return typeof part === "string" && !part.includes("\0");
}

function parse(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

/** Cuts rows that were read with one more than `limit` into a page. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  options: { list: OperationName; limit: number; keyOf: (row: Row) => (string | number)[]; view: (row: Row) => Item },
): Page<Item> {
  const shown = rows.slice(0, options.limit);
  const last = shown.at(-1);
  const more = rows.length > options.limit && last !== undefined;
  return {
    items: shown.map(options.view),
    nextCursor: more ? encodeCursor(options.list, options.keyOf(last)) : null,
  };
}
