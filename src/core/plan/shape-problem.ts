import { z } from "zod";
import type { Problem } from "../error.ts";
import { printable, quote } from "./input-rules.ts";
import { toPointer } from "./json-pointer.ts";
import { nearestKey } from "./nearest-key.ts";

type Issue = z.core.$ZodIssue;

/** Says the most telling of a schema's complaints in one line: where, what, and what would be right. */
export function shapeProblem(error: z.ZodError, schema: z.ZodType, input: unknown): Problem {
  const issue = mostTelling(error.issues);
  if (issue === undefined) return { path: "", message: "not of the expected shape" };
  if (issue.code === "unrecognized_keys") return unknownKey(issue.keys[0] ?? "", issue.path, schema);
  const path = toPointer(issue.path);
  return { path, message: `${printable(path) || "the document"}: ${complaint(issue, valueAt(input, issue.path))}` };
}

/** A key that nobody knows comes first: what seems to be missing is often that key, misspelt. */
function mostTelling(issues: readonly Issue[]): Issue | undefined {
  return issues.find((issue) => issue.code === "unrecognized_keys") ?? issues[0];
}

function unknownKey(key: string, parent: readonly PropertyKey[], schema: z.ZodType): Problem {
  const path = toPointer([...parent, key]);
  const known = knownKeys(schema, parent);
  const nearest = nearestKey(key, known);
  const right = nearest === undefined ? `known here: ${known.join(", ")}` : `did you mean ${quote(nearest)}?`;
  return { path, message: `${printable(path)}: unknown key ${quote(key)}; ${right}` };
}

function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const segment of path) at = typeof segment === "number" ? elementOf(at) : shapeOf(at)?.[String(segment)];
  return Object.keys(shapeOf(at) ?? {});
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const inner = unwrapped(schema);
  return inner instanceof z.ZodObject ? inner.shape : undefined;
}

function elementOf(schema: unknown): unknown {
  const inner = unwrapped(schema);
  return inner instanceof z.ZodArray ? inner.element : undefined;
}

function unwrapped(schema: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodNullable) at = at.unwrap();
  return at;
}

function complaint(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return wrongType(issue.expected, value);
    case "invalid_value":
      return `${had(value)}must be ${oneOf(issue.values.map((allowed) => quote(allowed)))}`;
    case "too_small":
    case "too_big":
      return `${had(value)}must ${sizeRule(issue)}`;
    case "invalid_key":
      return `${had(undefined)}this key is not allowed: letters, digits, ".", "_", "/" and "-", at most 63 characters`;
    case "invalid_format":
      return `${had(value)}${issue.message}`;
    default:
      return `${had(value)}${issue.message}`;
  }
}

function wrongType(expected: string, value: unknown): string {
  const names: Record<string, string> = {
    int: "an integer",
    object: "a mapping",
    record: "a mapping",
    array: "a list",
  };
  const right = names[expected] ?? `a ${expected}`;
  if (value === undefined) return `missing; ${right} is due here`;
  if (value === null && (expected === "object" || expected === "record")) {
    return "empty; write {} for the defaults, or leave the key out";
  }
  if (expected === "string" && typeof value === "number")
    return `got the number ${value}; put it in quotes: "${value}"`;
  return `${had(value)}must be ${right}`;
}

function sizeRule(issue: Extract<Issue, { code: "too_small" | "too_big" }>): string {
  const small = issue.code === "too_small";
  const limit = small ? issue.minimum : issue.maximum;
  if (issue.origin === "string") {
    return small && Number(limit) === 1 ? "not be empty" : `be at ${small ? "least" : "most"} ${limit} characters`;
  }
  if (issue.origin === "array") return `hold at ${small ? "least" : "most"} ${limit} items`;
  if (issue.inclusive === false) return `be ${small ? "more" : "less"} than ${limit}`;
  return `be at ${small ? "least" : "most"} ${limit}`;
}

function had(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "object" && value !== null
    ? `got a ${Array.isArray(value) ? "list" : "mapping"}; `
    : `got ${quote(value)}; `;
}

function oneOf(values: string[]): string {
  return values.length === 1 ? (values[0] ?? "") : `one of ${values.join(", ")}`;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let at = input;
  for (const segment of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, segment)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[segment];
  }
  return at;
}
