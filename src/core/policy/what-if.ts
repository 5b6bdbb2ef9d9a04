import type { Clause, Expr, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { Attributes } from "./attributes.ts";

/**
 * Whether a policy forbids, computed here from Cedar's syntax tree: a thousand times faster than a question to Cedar,
 * for searches through many plans that nobody proposed. It never decides; what a search finds is put to Cedar before
 * anybody sees it. A test holds it against Cedar.
 */
export type WhatIf = (attributes: Attributes, principal: string) => boolean;

/** Undefined when the policy uses something that only Cedar understands; then Cedar is asked instead. */
export function whatIf(policy: PolicyJson): WhatIf | undefined {
  try {
    const scope = compileScope(policy);
    const conditions = policy.conditions.map(compileClause);
    return (attributes, principal) => {
      try {
        return scope(principal) && conditions.every((holds) => holds(attributes, principal));
      } catch {
        // Cedar reports a forbid that errors, and an error is a denial.
        return true;
      }
    };
  } catch (error) {
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
}

class Unsupported extends Error {}

type Evaluate = (attributes: Attributes, principal: string) => unknown;

/** The action is what gives a policy its level, so it plays no part in whether the condition holds. */
function compileScope({ principal, resource }: PolicyJson): (principal: string) => boolean {
  if (resource.op !== "All") throw new Unsupported("resource");
  if (principal.op === "All") return () => true;
  if (principal.op === "is" && principal.in === undefined) return (kind) => kind === principal.entity_type;
  throw new Unsupported("principal");
}

function compileClause({ kind, body }: Clause): (attributes: Attributes, principal: string) => boolean {
  const evaluate = compile(body);
  return (attributes, principal) => truth(evaluate(attributes, principal)) === (kind === "when");
}

function compile(expression: Expr): Evaluate {
  const [operator, operand] = Object.entries(expression)[0] ?? [];
  const compiler = operator === undefined ? undefined : COMPILERS[operator];
  if (compiler === undefined) throw new Unsupported(operator);
  return compiler(operand as never);
}

type Compiler = (operand: never) => Evaluate;
type Two = { left: Expr; right: Expr };
type One = { arg: Expr };

const COMPILERS: Record<string, Compiler> = {
  Value: (value: unknown) => constant(plain(value)),
  Set: (items: Expr[]) => {
    const members = items.map(compile);
    return (attributes, principal) => members.map((member) => member(attributes, principal));
  },
  ".": ({ left, attr }: { left: Expr; attr: string }) => {
    requireContext(left);
    return (attributes) => present(attributes, attr);
  },
  has: ({ left, attr }: { left: Expr; attr: string | string[] }) => {
    requireContext(left);
    if (typeof attr !== "string") throw new Unsupported("nested has");
    return (attributes) => attributes[attr as keyof Attributes] !== undefined;
  },
  is: ({ left, entity_type }: { left: Expr; entity_type: string }) => {
    if (!("Var" in left) || left.Var !== "principal") throw new Unsupported("is");
    return (_, principal) => principal === entity_type;
  },
  "!": ({ arg }: One) => {
    const inner = compile(arg);
    return (attributes, principal) => !truth(inner(attributes, principal));
  },
  "&&": ({ left, right }: Two) => {
    const [first, second] = [compile(left), compile(right)];
    return (attributes, principal) => truth(first(attributes, principal)) && truth(second(attributes, principal));
  },
  "||": ({ left, right }: Two) => {
    const [first, second] = [compile(left), compile(right)];
    return (attributes, principal) => truth(first(attributes, principal)) || truth(second(attributes, principal));
  },
  "==": (operands: Two) => isConstant(operands) ?? both(equal)(operands as never),
  "!=": both((left, right) => !equal(left, right)),
  "<": both((left, right) => number(left) < number(right)),
  "<=": both((left, right) => number(left) <= number(right)),
  ">": both((left, right) => number(left) > number(right)),
  ">=": both((left, right) => number(left) >= number(right)),
  contains: both((left, right) => list(left).includes(right)),
  containsAll: both((left, right) => list(right).every((member) => list(left).includes(member))),
  containsAny: both((left, right) => list(right).some((member) => list(left).includes(member))),
  isEmpty: ({ arg }: One) => {
    const inner = compile(arg);
    return (attributes, principal) => list(inner(attributes, principal)).length === 0;
  },
  "if-then-else": (parts: { if: Expr; then: Expr; else: Expr }) => {
    const [condition, yes, no] = [compile(parts.if), compile(parts.then), compile(parts.else)];
    return (attributes, principal) => (truth(condition(attributes, principal)) ? yes : no)(attributes, principal);
  },
};

function both(combine: (left: unknown, right: unknown) => unknown): Compiler {
  return ({ left, right }: Two) => {
    const [first, second] = [compile(left), compile(right)];
    return (attributes, principal) => combine(first(attributes, principal), second(attributes, principal));
  };
}

/** `context.x == constant`, with which most conditions begin, as one function instead of four. */
function isConstant({ left, right }: Two): Evaluate | undefined {
  if (!("." in left) || !("Value" in right)) return undefined;
  const { left: record, attr } = left["."] as { left: Expr; attr: string };
  const value = plain(right.Value);
  if (Array.isArray(value)) return undefined;
  requireContext(record);
  return (attributes) => present(attributes, attr) === value;
}

function constant(value: unknown): Evaluate {
  return () => value;
}

/** Enumeration values are compared by name: strict validation has seen to it that both sides are of one type. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if ("__entity" in value) return (value.__entity as { id: string }).id;
  throw new Unsupported("record");
}

function requireContext(expression: Expr): void {
  if (!("Var" in expression) || expression.Var !== "context") throw new Unsupported("not the context");
}

function present(attributes: Attributes, name: string): unknown {
  const value = attributes[name as keyof Attributes];
  if (value === undefined) throw new Error(`context.${name} is absent`);
  return value;
}

function truth(value: unknown): boolean {
  if (typeof value !== "boolean") throw new Error("a boolean is due");
  return value;
}

function number(value: unknown): number {
  if (typeof value !== "number") throw new Error("a number is due");
  return value;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error("a set is due");
  return value;
}

function equal(left: unknown, right: unknown): boolean {
  if (!Array.isArray(left) || !Array.isArray(right)) return left === right;
  return left.every((member) => right.includes(member)) && right.every((member) => left.includes(member));
}
