import { READERS } from "./attribute-readers.ts";
import type { Attributes } from "./attributes.ts";
import type { Facts } from "./decision.ts";
import { evaluate, PRINCIPALS } from "./evaluate.ts";
import type { Policy, PolicySet } from "./policy.ts";
import type { Known, Test } from "./what-if.ts";

/**
 * What Cedar would say of a plan that nobody proposed, for a search: computed here where every policy allows it, asked
 * of Cedar where one does not. In the order of the set. Never a decision.
 */
export function foresee(set: PolicySet, principal: Facts["principal"]["kind"], attributes: Attributes): Policy[] {
  const search = searchOf(set);
  if (search === undefined) return evaluate(set, principal, attributes).forbidding;
  const part = partOf(search, PRINCIPALS[principal], attributes);
  const forbidding: Policy[] = [];
  for (let index = 0; index < part.length; index += 1) {
    const rule = part[index];
    if (rule !== undefined && (rule.test === true || speaks(rule.test, attributes))) forbidding.push(rule.policy);
  }
  return forbidding;
}

function speaks(test: (attributes: Attributes) => boolean, attributes: Attributes): boolean {
  try {
    return test(attributes);
  } catch {
    // Cedar reports a forbid that errors, and an error is a denial.
    return true;
  }
}

/** A policy that may speak about the plans of one part, in the order of the set; `true` when it speaks about them all. */
interface Rule {
  policy: Policy;
  test: Exclude<Test, false>;
}

/**
 * The plans of a search fall into parts: those alike in the attributes that divide them. In each part most policies
 * always or never speak, and what remains is a short list of comparisons.
 */
interface Search {
  policies: readonly Policy[];
  /** The attributes that divide the plans: enumerations that some policy reads. */
  dividing: readonly (keyof Attributes)[];
  root: Branch;
  /** Compiled policies by what is known of the attributes that they read, for many parts share them. */
  compiled: Map<string, Test>;
}

interface Branch {
  branches: Map<unknown, Branch>;
  rules?: Rule[];
}

const DIVIDING: readonly (keyof Attributes)[] = ["environment", "gate", "runtime", "breaker", "snapshot"];

const searches = new WeakMap<PolicySet, { search: Search | undefined }>();

/** Made once per set; undefined when only Cedar understands some policy. */
function searchOf(set: PolicySet): Search | undefined {
  const known = searches.get(set);
  if (known !== undefined) return known.search;
  const policies = [...set.policies.values()];
  const dividing = DIVIDING.filter((name) => policies.some(({ reads }) => reads.has(name)));
  const search = policies.every(({ whatIf }) => whatIf !== undefined)
    ? { policies, dividing, root: { branches: new Map() }, compiled: new Map() }
    : undefined;
  searches.set(set, { search });
  return search;
}

function partOf(search: Search, principal: string, attributes: Attributes): readonly Rule[] {
  let branch = branchOf(search.root, principal);
  for (let index = 0; index < search.dividing.length; index += 1) {
    const name = search.dividing[index];
    if (name !== undefined) branch = branchOf(branch, READERS[name](attributes));
  }
  branch.rules ??= rulesOf(search, principal, attributes);
  return branch.rules;
}

function branchOf(parent: Branch, value: unknown): Branch {
  const known = parent.branches.get(value);
  if (known !== undefined) return known;
  const branch: Branch = { branches: new Map() };
  parent.branches.set(value, branch);
  return branch;
}

function rulesOf(search: Search, principal: string, attributes: Attributes): Rule[] {
  return search.policies.flatMap((policy) => {
    const names = search.dividing.filter((name) => policy.reads.has(name));
    const known = { principal, attributes: Object.fromEntries(names.map((name) => [name, attributes[name]])) };
    const test = compiledOf(search, policy, known);
    return test === false ? [] : [{ policy, test }];
  });
}

function compiledOf(search: Search, policy: Policy, known: Known): Test {
  const key = JSON.stringify([policy.id, known.principal, known.attributes]);
  let test = search.compiled.get(key);
  if (test === undefined) {
    test = policy.whatIf?.(known) ?? true;
    search.compiled.set(key, test);
  }
  return test;
}
