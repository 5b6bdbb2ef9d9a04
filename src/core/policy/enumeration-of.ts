import type { Expr } from "@cedar-policy/cedar-wasm/nodejs";
import { FORMS, isAttribute, isEnumeration } from "./attributes.ts";

/**
 * Whether two sides that a condition compares hold words of the same enumeration, or none at all. Strict validation
 * takes `context.runtime != context.workload`, which is always true to Cedar, although both may be "quantum": only
 * where this holds may words be compared by their letters.
 */
export function compareAlike(left: Expr, right: Expr): boolean {
  const [first, second] = [enumerationsIn(left), enumerationsIn(right)];
  return first.size === 0 || second.size === 0 || first.union(second).size === 1;
}

/** What the values of an expression, or the members of its set, may be: enumerations, or "" for anything else. */
function enumerationsIn(expression: Expr): Set<string> {
  const [operator, operand] = Object.entries(expression)[0] ?? [];
  if (operator === "Value") return new Set([enumerationOfLiteral(operand)]);
  // An empty set has no members, so it is alike with every other.
  if (operator === "Set") return (operand as Expr[]).reduce((all, member) => all.union(enumerationsIn(member)), NONE);
  if (operator === "if-then-else") {
    const { then: yes, else: no } = operand as { then: Expr; else: Expr };
    return enumerationsIn(yes).union(enumerationsIn(no));
  }
  if (operator === ".") return new Set([enumerationOfAttribute((operand as { attr: string }).attr)]);
  return new Set([""]);
}

const NONE = new Set<string>();

function enumerationOfLiteral(value: unknown): string {
  if (typeof value !== "object" || value === null || !("__entity" in value)) return "";
  const { type } = value.__entity as { type: string };
  return isEnumeration(type) ? type : "";
}

function enumerationOfAttribute(name: string): string {
  const type = isAttribute(name) ? FORMS[name].replace(/^Set<(.*)>$/, "$1") : "";
  return isEnumeration(type) ? type : "";
}
