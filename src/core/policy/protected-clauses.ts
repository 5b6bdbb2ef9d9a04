import { isDeepStrictEqual } from "node:util";
import type { Policy, PolicyFile, PolicySet } from "./policy.ts";

/**
 * What no tenant can change, whoever approves it: the clauses that admit no exception (AO-1, AO-4), and those of the
 * level *system*, which are properties of the whole program. Source: the list of clauses, columns *clause* and *level*.
 */
export const PROTECTED_CLAUSES: ReadonlySet<string> = new Set([
  ...["AO-1", "AO-4", "AO-13"],
  ...["CP-7", "CP-9"],
  ...["P1", "P3", "P4", "P5"],
  ...["GL-1", "GL-2", "GL-3", "GL-4", "SIM"],
]);

/**
 * Why a candidate may not come into force: one sentence for each thing that it takes from, or changes in, what is
 * protected. Empty when it leaves all of that alone. Policies only forbid and an error denies, so a protected policy that
 * stands unchanged cannot be weakened by anything beside it; who wants it stricter writes a policy of their own.
 * The schema decides what a plan looks like to every policy, and so it is the program's as well.
 */
export function protectionProblems(shipped: PolicySet, candidate: PolicySet): string[] {
  const problems: string[] = [];
  if (schemaOf(shipped.files) !== schemaOf(candidate.files))
    problems.push("schema.cedarschema is the program's: a policy version takes it as it is");
  for (const policy of shipped.policies.values()) {
    if (!PROTECTED_CLAUSES.has(policy.clause)) continue;
    const there = candidate.policies.get(policy.id);
    const why =
      policy.clause.startsWith("AO-") && policy.clause !== "AO-13" ? "admits no exception" : "is the program's";
    if (there === undefined) problems.push(`${policy.id} is missing: ${policy.clause} ${why}`);
    else if (!isDeepStrictEqual(bindingPart(policy), bindingPart(there)))
      problems.push(`${policy.id} is changed: ${policy.clause} ${why}; write a policy of your own to be stricter`);
  }
  return problems;
}

function schemaOf(files: readonly PolicyFile[]): string | undefined {
  return files.find(({ path }) => path === "schema.cedarschema")?.text;
}

/** What a policy does. Its words, its place and the repair that it offers may change. */
function bindingPart({ meaning, clause, level, due, discharged, owner }: Policy) {
  return { meaning, clause, level, due, discharged: discharged !== null, owner };
}
