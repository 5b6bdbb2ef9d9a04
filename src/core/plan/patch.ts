import type { Parsed } from "../error.ts";
import type { PatchOperation } from "../policy/decision.ts";
import { withDefaults } from "./defaults.ts";
import { fromPointer } from "./json-pointer.ts";
import { validatePlanInput } from "./parse.ts";
import type { Plan } from "./schema.ts";

/**
 * Applies a JSON Patch (RFC 6902: add, replace, remove) to a plan with defaults and checks the result's shape. The
 * plan that came in is left as it was. A patch that does not fit is a problem that names its path.
 */
export function applyPatch(plan: Plan, operations: readonly PatchOperation[]): Parsed<Plan> {
  const patched: unknown = structuredClone(plan);
  for (const operation of operations) {
    const problem = applyOne(patched, operation);
    if (problem !== undefined) return { ok: false, problem: { path: operation.path, message: problem } };
  }
  const input = validatePlanInput(patched);
  return input.ok ? { ok: true, value: withDefaults(input.value) } : input;
}

function applyOne(document: unknown, operation: PatchOperation): string | undefined {
  const segments = fromPointer(operation.path);
  const last = segments?.pop();
  if (segments === undefined || last === undefined) return `${operation.path}: must be a JSON pointer into the plan`;
  let parent: unknown = document;
  for (const segment of segments) parent = member(parent, segment);
  if (Array.isArray(parent)) return applyToList(parent, last, operation);
  if (typeof parent !== "object" || parent === null)
    return `${operation.path}: nothing to change there; add its parent`;
  const mapping = parent as Record<string, unknown>;
  if (operation.op !== "add" && !Object.hasOwn(mapping, last)) return `${operation.path}: nothing to ${operation.op}`;
  if (last === "__proto__") return `${operation.path}: this key is reserved`;
  if (operation.op === "remove") delete mapping[last];
  else mapping[last] = structuredClone(operation.value);
  return undefined;
}

function applyToList(list: unknown[], last: string, operation: PatchOperation): string | undefined {
  const atEnd = operation.op === "add" ? list.length : list.length - 1;
  const index = last === "-" && operation.op === "add" ? list.length : Number(last);
  if (!/^(-|0|[1-9]\d*)$/.test(last) || !(index <= atEnd)) return `${operation.path}: the list has no such item`;
  if (operation.op === "remove") list.splice(index, 1);
  else list.splice(index, operation.op === "add" ? 0 : 1, structuredClone(operation.value));
  return undefined;
}

function member(parent: unknown, segment: string): unknown {
  return typeof parent === "object" && parent !== null && Object.hasOwn(parent, segment)
    ? (parent as Record<string, unknown>)[segment]
    : undefined;
}
