import type { Plan } from "../../plan/schema.ts";
import type { DecideInput, PatchOperation } from "../decision.ts";
import { denials, ROLLBACK_ALARMS } from "./clause-oracle.ts";
import { priceMicro } from "./oracle-finding.ts";

/** What is wrong with a fix, one sentence each; nothing when it is what the clauses offer. Searches by brute force. */
export function fixProblems(input: DecideInput, fix: readonly PatchOperation[]): string[] {
  const before = clausesOf(input);
  const patched = fix.reduce<Plan>(patchedOnce, input.plan);
  const after = clausesOf({ ...input, plan: patched });
  const problems: string[] = [];
  for (const operation of fix) problems.push(...operationProblems(input, operation));
  for (const clause of after) if (!before.has(clause)) problems.push(`trades into ${clause}`);
  if (fix.length > 0 && after.size >= before.size) problems.push("helps nothing");
  // A plan holds 32 alarms at most: where adding would make it malformed, no fix exists.
  const alarmCount = (input.plan.spec.rollback.alarms?.length ?? 0) + missingAlarms(input);
  if (after.has("AO-8") && alarmCount <= 32) problems.push("leaves AO-8");
  if (after.has("CP-12")) problems.push("leaves CP-12");
  return [...problems, ...computeProblems(input, patched), ...needlessOperations(input, fix, after)];
}

function missingAlarms({ plan }: DecideInput): number {
  return ROLLBACK_ALARMS.filter((alarm) => !plan.spec.rollback.alarms?.includes(alarm)).length;
}

function clausesOf(input: DecideInput): Set<string> {
  return new Set(denials(input).map(({ clause }) => clause));
}

const FIXED_FIELDS: Record<string, (plan: Plan) => unknown> = {
  "/spec/compute/instanceType": (plan) => plan.spec.compute.instanceType,
  "/spec/compute/instanceCount": (plan) => plan.spec.compute.instanceCount,
  "/spec/rollback/alarms": (plan) => plan.spec.rollback.alarms,
  "/spec/rollback/onHealthCheckFailure": (plan) => plan.spec.rollback.onHealthCheckFailure,
};

/** RFC 6902: *replace* wants something there. The clauses offer to change four fields and no other. */
function operationProblems({ plan }: DecideInput, operation: PatchOperation): string[] {
  const read = FIXED_FIELDS[operation.path];
  if (read === undefined) return [`changes ${operation.path}`];
  const there = read(plan) !== undefined;
  if (operation.op !== (there ? "replace" : "add")) return [`${operation.op} at ${operation.path}`];
  return [];
}

function patchedOnce(plan: Plan, operation: PatchOperation): Plan {
  const copy = structuredClone(plan);
  const value: unknown = "value" in operation ? structuredClone(operation.value) : undefined;
  const [, , section, key] = operation.path.split("/");
  const at = section === "compute" ? copy.spec.compute : copy.spec.rollback;
  Object.assign(at, { [key ?? ""]: value });
  return copy;
}

/** Minimal: without any one of its operations the patch heals less. */
function needlessOperations(input: DecideInput, fix: readonly PatchOperation[], after: Set<string>): string[] {
  return fix.flatMap((operation) => {
    const without = fix.filter((each) => each !== operation).reduce<Plan>(patchedOnce, input.plan);
    const left = clausesOf({ ...input, plan: without });
    return left.size > after.size || [...left].some((clause) => !after.has(clause))
      ? []
      : [`needless ${operation.path}`];
  });
}

const COMPUTE_CLAUSES = ["AO-1", "AO-2", "AO-4", "AO-5", "AO-6", "AO-11", "CP-2"];

type Compute = Plan["spec"]["compute"];

function computeClauses(input: DecideInput, compute: Compute): string[] {
  const plan = { ...input.plan, spec: { ...input.plan.spec, compute } };
  const left = clausesOf({ ...input, plan });
  return COMPUTE_CLAUSES.filter((clause) => left.has(clause));
}

/**
 * Type and count, judged together. Reading: a cap offers another count and never another type, so the type stays where
 * no clause is about it; where one is, the type comes from the clause's list, the nearest in price (AO-11) or the
 * cheapest (AO-2) of those with which everything can be healed. Only AO-4 raises a count.
 */
function computeProblems(input: DecideInput, patched: Plan): string[] {
  const asked = input.plan.spec.compute;
  const given = patched.spec.compute;
  const before = computeClauses(input, asked);
  const left = computeClauses(input, given);
  const same = asked.instanceType === given.instanceType && asked.instanceCount === given.instanceCount;
  if (before.length === 0) return same ? [] : ["changes compute that nothing denies"];

  for (const instanceType of typesOffered(input)) {
    const best = bestCount(input, instanceType, before);
    if (best === undefined || best.left.length > 0) continue;
    if (given.instanceType === instanceType && given.instanceCount === best.instanceCount) return [];
    return [`should be ${best.instanceCount} x ${instanceType}, is ${given.instanceCount} x ${given.instanceType}`];
  }
  // Not everything can be healed: then nothing that could be is left unhealed.
  const reachable = typesOffered(input).flatMap((instanceType) => bestCount(input, instanceType, before) ?? []);
  const better = reachable.find((each) => each.left.length < left.length);
  return better === undefined ? [] : [`leaves ${left.join(", ")} where ${better.left.join(", ")} could be all`];
}

/** The types that the fix column offers, the most wanted first. Reading: a type without a price is refused, so never offered. */
function typesOffered(input: DecideInput): string[] {
  const { environment, compute } = input.plan.spec;
  const denied = computeClauses(input, compute);
  const price = (type: string) => priceMicro(input, type) ?? Number.NaN;
  const isPriced = (type: string) => !Number.isNaN(price(type));
  const cheapest = (types: string[]) => types.filter(isPriced).toSorted((a, b) => price(a) - price(b));
  if (denied.includes("AO-1")) return ["ml.m5.large"].filter(isPriced);
  // AO-5 alone: an allowed type has no price, and the other one that staging allows may have one.
  if (environment === "staging" && (denied.includes("AO-2") || !isPriced(compute.instanceType)))
    return cheapest(["ml.m5.large", "ml.m5.xlarge"]);
  if (!denied.includes("AO-11")) return [compute.instanceType];
  const approved = cheapest(input.settings.approvedProductionTypes);
  if (!isPriced(compute.instanceType)) return approved;
  const distance = (type: string) => Math.abs(price(type) - price(compute.instanceType));
  return approved.toSorted((a, b) => distance(a) - distance(b));
}

/** Among all counts up to the one asked for (or to AO-4's two): fewest clauses left, none new, then the nearest. */
function bestCount(input: DecideInput, instanceType: string, before: string[]) {
  const asked = input.plan.spec.compute.instanceCount;
  const candidates = [asked, 2, 1, ...aroundCaps(input, instanceType)].filter(
    (count) => count >= 1 && count <= Math.max(asked, 2),
  );
  const reachable = [...new Set(candidates)]
    .map((instanceCount) => ({ instanceCount, left: computeClauses(input, { instanceType, instanceCount }) }))
    .filter(
      ({ left, instanceCount }) =>
        left.every((clause) => before.includes(clause)) && (instanceCount <= asked || before.includes("AO-4")),
    );
  const distance = (count: number) => Math.abs(count - asked);
  return reachable.toSorted(
    (a, b) => a.left.length - b.left.length || distance(a.instanceCount) - distance(b.instanceCount),
  )[0];
}

/** The counts at which the caps begin to bind, found by halving: what fits is fitting at every smaller count too. */
function aroundCaps(input: DecideInput, instanceType: string): number[] {
  const caps = ["AO-5", "AO-6", "CP-2"];
  return caps.map((cap) => {
    let [fits, tooMany] = [0, 10_001];
    while (tooMany - fits > 1) {
      const middle = Math.floor((fits + tooMany) / 2);
      if (computeClauses(input, { instanceType, instanceCount: middle }).includes(cap)) tooMany = middle;
      else fits = middle;
    }
    return fits;
  });
}
