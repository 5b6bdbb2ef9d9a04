import { isDeepStrictEqual } from "node:util";
import { fromPointer } from "../plan/json-pointer.ts";
import { applyPatch } from "../plan/patch.ts";
import type { Plan } from "../plan/schema.ts";
import { computeCandidates } from "./compute-candidates.ts";
import type { DecideInput, PatchOperation } from "./decision.ts";
import { evaluate } from "./evaluate.ts";
import { limitOf } from "./findings.ts";
import { foresee } from "./foresee.ts";
import { gatherAttributes } from "./gather-attributes.ts";
import type { Fix, Policy, PolicySet } from "./policy.ts";

/**
 * One patch for all denials together. INVARIANT: applied, the plan is denied for a strict subset of the clauses it was
 * denied under, and is offered no further fix. Where denials can only be traded for one another (two instances are needed
 * and one is all the budget allows) nothing is offered for them, and they stay.
 *
 * `before` is what denies the plan now. Candidates are foreseen with every policy of the set, so a user's own clauses
 * are heard as well as the shipped ones, and the patch is put to Cedar before it is offered.
 */
export function jointFix(set: PolicySet, input: DecideInput, before: Policy[]): PatchOperation[] {
  const single = singleFixes(input, before);
  const settled = applyPatch(input.plan, single);
  const compute = settled.ok ? computeFix(set, { ...input, plan: settled.value }) : [];
  const whole = [...single, ...compute];
  // The parts could quarrel through a user's own clause: then the larger part that helps is offered alone.
  return [whole, single, compute].find((patch) => helps(set, input, patch, before)) ?? [];
}

function foreseen(set: PolicySet, input: DecideInput): Policy[] {
  const attributes = gatherAttributes(input, "listing");
  return foresee(set, input.facts.principal.kind, attributes).filter(({ level }) => level === "deny");
}

/** Cedar's own answer; undefined when it could not evaluate everything, for then nothing can be promised. */
function certain(set: PolicySet, input: DecideInput): Policy[] | undefined {
  const { forbidding, failures } = evaluate(set, input.facts.principal.kind, gatherAttributes(input, "listing"));
  return failures.length > 0 ? undefined : forbidding.filter(({ level }) => level === "deny");
}

function helps(set: PolicySet, input: DecideInput, patch: PatchOperation[], before: Policy[]): boolean {
  if (patch.length === 0) return false;
  const patched = applyPatch(input.plan, patch);
  const after = patched.ok ? certain(set, { ...input, plan: patched.value }) : undefined;
  return after !== undefined && isFewer(after, before);
}

/**
 * Counted in clauses, on both sides: a clause that still denies is no better for having one reason less, and one that
 * now denies for another reason is no worse.
 */
function isFewer(after: Policy[], before: Policy[]): boolean {
  const denied = new Set(before.map(({ clause }) => clause));
  return clauseCount(after) < clauseCount(before) && after.every(({ clause }) => denied.has(clause));
}

function clauseCount(policies: Policy[]): number {
  return new Set(policies.map(({ clause }) => clause)).size;
}

/** Fixes that touch one field and depend on nothing else. */
function singleFixes(input: DecideInput, denials: Policy[]): PatchOperation[] {
  const attributes = gatherAttributes(input, "listing");
  const operations = new Map<string, PatchOperation>();
  for (const policy of denials) {
    if (policy.path === null) continue;
    const there = operations.get(policy.path);
    const value = there !== undefined && "value" in there ? there.value : valueAt(input.plan, policy.path);
    const wanted = wantedValue(policy, limitOf(policy, attributes), value);
    if (wanted === undefined || isDeepStrictEqual(wanted, value)) continue;
    const op = valueAt(input.plan, policy.path) === undefined ? "add" : "replace";
    operations.set(policy.path, { op, path: policy.path, value: wanted });
  }
  return [...operations.values()].filter((operation) => applyPatch(input.plan, [operation]).ok);
}

function wantedValue({ fix }: Policy, limit: unknown, value: unknown): unknown {
  if (fix === "set") return limit ?? undefined;
  if (fix !== "add-members") return undefined;
  const members = Array.isArray(value) ? value : [];
  const wanted = Array.isArray(limit) ? limit : [limit];
  return [...members, ...wanted.filter((member) => !members.includes(member))];
}

const COMPUTE_FIXES: ReadonlySet<Fix | null> = new Set<Fix>([
  "cheapest-type",
  "nearest-type",
  "priced-type",
  "count-at-least",
  "count-that-fits",
]);

/** Type and count depend on each other through the price, so they are chosen together. */
function computeFix(set: PolicySet, input: DecideInput): PatchOperation[] {
  const before = foreseen(set, input);
  if (!before.some(({ fix }) => COMPUTE_FIXES.has(fix))) return [];
  const { compute } = input.plan.spec;
  let best: Plan["spec"]["compute"] = compute;
  let left = before;
  for (const candidate of computeCandidates(set, input, before)) {
    const plan = { ...input.plan, spec: { ...input.plan.spec, compute: candidate } };
    const after = foreseen(set, { ...input, plan });
    if (!isFewer(after, before) || clauseCount(after) >= clauseCount(left)) continue;
    [best, left] = [candidate, after];
    if (!left.some(({ fix }) => COMPUTE_FIXES.has(fix))) break;
  }
  return (["instanceType", "instanceCount"] as const).flatMap((key) =>
    best[key] === compute[key] ? [] : [{ op: "replace" as const, path: `/spec/compute/${key}`, value: best[key] }],
  );
}

function valueAt(plan: Plan, pointer: string): unknown {
  let at: unknown = plan;
  for (const segment of fromPointer(pointer) ?? []) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, segment)) return undefined;
    at = (at as Record<string, unknown>)[segment];
  }
  return at;
}
