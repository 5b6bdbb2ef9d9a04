import type { Expr, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { levelOf } from "./annotations.ts";
import { type ContextForm, isEnumeration } from "./attributes.ts";
import { compareAlike } from "./enumeration-of.ts";

export interface AskedForm {
  policies: Record<string, PolicyJson>;
  context: ContextForm;
}

/**
 * Policies as Cedar is asked: every one of them, with its whole condition, in a form that says the same and takes Cedar
 * half the time. It is made of what Cedar read and validated strictly, and a test holds the answers against those of the
 * written policies.
 *
 * - The notes go: only we read them.
 * - The action goes. Every question is about the one action that is in every level's; and a forbid that names no action
 *   forbids no less.
 * - A word of an enumeration becomes a string. Compared only with words of its own enumeration, equal words stay equal
 *   and different ones different. Where some policy does anything else with one, the whole set keeps its entities.
 */
export function askedForm(written: Readonly<Record<string, PolicyJson>>): AskedForm {
  const bare = Object.entries(written).map(([id, policy]) => [id, withoutNotes(policy)] as const);
  try {
    return { policies: Object.fromEntries(bare.map(([id, policy]) => [id, inWords(policy)])), context: "words" };
  } catch (error) {
    if (!(error instanceof NeedsEntities)) throw error;
    return { policies: Object.fromEntries(bare), context: "entities" };
  }
}

function withoutNotes({ annotations: _, ...policy }: PolicyJson): PolicyJson {
  return levelOf(policy) === undefined ? policy : { ...policy, action: { op: "All" } };
}

class NeedsEntities extends Error {}

function inWords(policy: PolicyJson): PolicyJson {
  return {
    ...policy,
    conditions: policy.conditions.map(({ kind, body }) => ({ kind, body: expressionInWords(body) })),
  };
}

/** What keeps its meaning when equal words stay equal and different ones different. */
const COMPARING: ReadonlySet<string> = new Set([
  ...["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "neg", "&&", "||", "!", "if-then-else"],
  ...["contains", "containsAll", "containsAny", "isEmpty", "Set"],
]);

function expressionInWords(expression: Expr): Expr {
  const [operator = "", operand] = Object.entries(expression)[0] ?? [];
  if (operator === "Value") return { Value: valueInWords(operand) };
  if (COMPARING.has(operator)) {
    if (Array.isArray(operand)) return { Set: (operand as Expr[]).map(expressionInWords) };
    const { left, right } = operand as { left?: Expr; right?: Expr };
    if (left !== undefined && right !== undefined && !compareAlike(left, right)) throw new NeedsEntities(operator);
    const parts = Object.entries(operand as Record<string, Expr>);
    return { [operator]: Object.fromEntries(parts.map(([name, part]) => [name, expressionInWords(part)])) } as Expr;
  }
  if (!isLeaf(operator, operand)) throw new NeedsEntities(operator);
  return expression;
}

/** What holds no word of an enumeration: an attribute, a test that it is there, a pattern, a question about who asks. */
function isLeaf(operator: string, operand: unknown): boolean {
  if (operator === "Var") return operand !== "context";
  const { left } = operand as { left?: Expr };
  const of = left !== undefined && "Var" in left ? left.Var : undefined;
  if (operator === "." || operator === "has") return of === "context";
  if (operator === "like") return left !== undefined && "." in left && isLeaf(".", left["."]);
  return operator === "is" && of === "principal" && !("in" in (operand as object));
}

type Literal = Extract<Expr, { Value: unknown }>["Value"];

function valueInWords(value: unknown): Literal {
  if (typeof value !== "object") return value as Literal;
  if (value === null || !("__entity" in value)) throw new NeedsEntities("a record");
  const { type, id } = value.__entity as { type: string; id: string };
  return isEnumeration(type) ? id : (value as Literal);
}
