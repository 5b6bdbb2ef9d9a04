import { isDeepStrictEqual } from "node:util";
import { fromPointer } from "../plan/json-pointer.ts";
import { applyPatch } from "../plan/patch.ts";
import type { Plan } from "../plan/schema.ts";
import { computeCandidates } from "./compute-candidates.ts";
import type { DecideInput, PatchOperation } from "./decision.ts";
import { evaluate } from "./evaluate.ts";
import { limitOf } from "./findings.ts";
import { gatherAttributes } from "./gather-attributes.ts";
import type { Fix, Policy, PolicySet } from "./policy.ts";

/**
 * One patch for all denials together. INVARIANT: applied, the plan is denied for a strict subset of the reasons it was
 * denied for, and is offered no further fix. Where denials can only be traded for one another (two instances are needed
 * and one is all the budget allows) nothing is offered for them, and they stay.
 *
 * `before` is what denies the plan now. Every candidate is put to Cedar, so a user's own clauses are heard as well as the shipped ones.
 */
export function jointFix(set: PolicySet, input: DecideInput, before: Policy[]): PatchOperation[] {
  const denials = remembering((plan) => denialsOf(set, { ...input, plan }));
  const single = singleFixes(input, before);
  const settled = applyPatch(input.plan, single);
  const compute = settled.ok ? computeFix(set, { ...input, plan: settled.value }, { before, denials, single }) : [];
  const whole = [...single, ...compute];
  // The parts could quarrel through a user's own clause: then the larger part that helps is offered alone.
  return [whole, single, compute].find((patch) => helps(input.plan, patch, before, denials)) ?? [];
}

type Denials = (plan: Plan) => Policy[];

/** A question to Cedar costs a third of a millisecond, and the same candidate comes up several times. */
function remembering(denials: Denials): Denials {
  const answers = new Map<string, Policy[]>();
  return (plan) => {
    const key = JSON.stringify(plan.spec);
    const answer = answers.get(key) ?? denials(plan);
    answers.set(key, answer);
    return answer;
  };
}

function denialsOf(set: PolicySet, input: DecideInput): Policy[] {
  const { forbidding } = evaluate(set, input.facts.principal.kind, gatherAttributes(input, "listing"));
  return forbidding.filter(({ level }) => level === "deny");
}

function helps(plan: Plan, patch: PatchOperation[], before: Policy[], denials: Denials): boolean {
  if (patch.length === 0) return false;
  const patched = applyPatch(plan, patch);
  return patched.ok && isFewer(denials(patched.value), before);
}

function isFewer(after: Policy[], before: Policy[]): boolean {
  return after.length < before.length && after.every((policy) => before.includes(policy));
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

interface ComputeFixKnown {
  denials: Denials;
  before: Policy[];
  /** What was fixed already in the plan that comes in. */
  single: PatchOperation[];
}

/** Type and count depend on each other through the price, so they are chosen together. */
function computeFix(set: PolicySet, input: DecideInput, known: ComputeFixKnown): PatchOperation[] {
  const { denials } = known;
  const before = known.single.length === 0 ? known.before : denials(input.plan);
  if (!before.some(({ fix }) => COMPUTE_FIXES.has(fix))) return [];
  const { compute } = input.plan.spec;
  let best: Plan["spec"]["compute"] = compute;
  let left = before;
  for (const candidate of computeCandidates(set, input, before)) {
    const after = denials({ ...input.plan, spec: { ...input.plan.spec, compute: candidate } });
    if (!isFewer(after, before) || after.length >= left.length) continue;
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
