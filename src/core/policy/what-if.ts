import type { Clause, Expr, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { READERS, type Read } from "./attribute-readers.ts";
import { type Attributes, isAttribute } from "./attributes.ts";
import { compareAlike } from "./enumeration-of.ts";

/** What all plans of one part of a search have in common, and who proposes them. */
export interface Known {
  principal: string;
  attributes: Partial<Attributes>;
}

/** An answer that what is known decides, or the function that tells it of each plan; it throws where Cedar errs. */
export type Test = boolean | ((attributes: Attributes) => boolean);

/**
 * Whether a policy forbids, computed here from Cedar's syntax tree: a thousand times faster than a question to Cedar,
 * for searches through many plans that nobody proposed. What is known of all of them is computed once. It never decides;
 * what a search finds is put to Cedar before anybody sees it. A test holds it against Cedar.
 */
export type WhatIf = (known: Known) => Test;

/** Undefined when the policy uses something that only Cedar understands; then Cedar is asked instead. */
export function whatIf(policy: PolicyJson): WhatIf | undefined {
  try {
    requireKnownScope(policy);
    for (const { body } of policy.conditions) requireKnown(body);
  } catch (error) {
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
  return (known) => {
    const conditions = policy.conditions.map((clause) => () => conditionTest(clause, known));
    return conditions.reduce<Test>(and, isProposer(policy, known));
  };
}

class Unsupported extends Error {}

/** The action is what gives a policy its level, so it plays no part in whether the condition holds. */
function requireKnownScope({ principal, resource }: PolicyJson): void {
  if (resource.op !== "All") throw new Unsupported("resource");
  const known = principal.op === "All" || (principal.op === "is" && principal.in === undefined);
  if (!known) throw new Unsupported("principal");
}

/** Visits the whole condition, also what some plan would never reach. */
function requireKnown(expression: Expr): void {
  const [operator = "", operand] = Object.entries(expression)[0] ?? [];
  if (operator === "Value") plain(operand);
  else if (operator === "." || operator === "has") {
    const { left, attr } = operand as { left: Expr; attr: string | string[] };
    contextAttribute(left, attr);
  } else if (operator === "is") {
    const { left, in: ancestor } = operand as { left: Expr; in?: Expr };
    if (!("Var" in left) || left.Var !== "principal" || ancestor !== undefined) throw new Unsupported("is");
  } else if (operator in COMPARISONS && !compareAlike((operand as Two).left, (operand as Two).right)) {
    throw new Unsupported("words of two enumerations");
  } else if (operator === "Set" || operator === "if-then-else" || TESTS.has(operator)) {
    for (const part of Object.values(operand as Record<string, Expr>)) requireKnown(part);
  } else throw new Unsupported(operator);
}

function isProposer({ principal }: PolicyJson, known: Known): boolean {
  return principal.op !== "is" || principal.entity_type === known.principal;
}

function conditionTest({ kind, body }: Clause, known: Known): Test {
  const test = testOf(body, known);
  return kind === "when" ? test : not(test);
}

type Two = { left: Expr; right: Expr };
type One = { arg: Expr };
type Three = { if: Expr; then: Expr; else: Expr };
type Value = { constant: unknown } | { read: Read };

/** The right side is not even looked at when the left one decides, as Cedar does it. */
function and(first: Test, later: () => Test): Test {
  if (first === false) return false;
  const second = later();
  if (first === true) return second;
  if (typeof second === "boolean") return second ? first : (attributes) => first(attributes) && second;
  return (attributes) => first(attributes) && second(attributes);
}

function not(test: Test): Test {
  return typeof test === "boolean" ? !test : (attributes) => !test(attributes);
}

function testOf(expression: Expr, known: Known): Test {
  const [operator = "", operand] = Object.entries(expression)[0] ?? [];
  const { left, right } = operand as Two;
  switch (operator) {
    case "&&":
      return and(testOf(left, known), () => testOf(right, known));
    case "||":
      // a || b is !(!a && !b), in the same order.
      return not(and(not(testOf(left, known)), () => not(testOf(right, known))));
    case "!":
      return not(testOf((operand as One).arg, known));
    case "is":
      return (operand as { entity_type: string }).entity_type === known.principal;
    case "has":
      return hasTest(operand as { left: Expr; attr: string | string[] });
    case "if-then-else":
      return choiceTest(operand as Three, known);
    case "isEmpty":
      return combined(valueIn((operand as One).arg, known), EMPTY_LIST, (list) => asList(list).length === 0);
    default:
      return comparisonTest(operator, operand as Two, known) ?? plainTest(valueIn(expression, known));
  }
}

const EMPTY_LIST: Value = { constant: [] };

type Combine = (left: unknown, right: unknown) => boolean;

const COMPARISONS: Readonly<Record<string, Combine>> = {
  "==": equal,
  "!=": (left, right) => !equal(left, right),
  "<": (left, right) => asNumber(left) < asNumber(right),
  "<=": (left, right) => asNumber(left) <= asNumber(right),
  ">": (left, right) => asNumber(left) > asNumber(right),
  ">=": (left, right) => asNumber(left) >= asNumber(right),
  contains: (left, right) => asList(left).includes(right),
  containsAll: (left, right) => {
    const list = asList(left);
    return asList(right).every((member) => list.includes(member));
  },
  containsAny: (left, right) => {
    const list = asList(left);
    return asList(right).some((member) => list.includes(member));
  },
};

function comparisonTest(operator: string, { left, right }: Two, known: Known): Test | undefined {
  const combine = Object.hasOwn(COMPARISONS, operator) ? COMPARISONS[operator] : undefined;
  return combine && combined(valueIn(left, known), valueIn(right, known), combine);
}

/** One closure for each form of the operands, so that none is asked for a constant. */
function combined(left: Value, right: Value, combine: Combine): Test {
  if ("constant" in left) {
    const { constant } = left;
    if ("constant" in right) return combine(constant, right.constant);
    const { read } = right;
    return (attributes) => combine(constant, read(attributes));
  }
  const { read } = left;
  if ("constant" in right) {
    const { constant } = right;
    return (attributes) => combine(read(attributes), constant);
  }
  const second = right.read;
  return (attributes) => combine(read(attributes), second(attributes));
}

function hasTest({ left, attr }: { left: Expr; attr: string | string[] }): Test {
  const read = READERS[contextAttribute(left, attr)];
  return (attributes) => read(attributes) !== undefined;
}

function choiceTest(parts: Three, known: Known): Test {
  const condition = testOf(parts.if, known);
  if (typeof condition === "boolean") return testOf(condition ? parts.then : parts.else, known);
  const [yes, no] = [testOf(parts.then, known), testOf(parts.else, known)];
  const ask = (test: Test, attributes: Attributes) => (typeof test === "boolean" ? test : test(attributes));
  return (attributes) => ask(condition(attributes) ? yes : no, attributes);
}

function plainTest(value: Value): Test {
  if ("constant" in value) return asBoolean(value.constant);
  const { read } = value;
  return (attributes) => asBoolean(read(attributes));
}

function valueIn(expression: Expr, known: Known): Value {
  const [operator, operand] = Object.entries(expression)[0] ?? [];
  switch (operator) {
    case "Value":
      return { constant: plain(operand) };
    case "Set":
      return setValue((operand as Expr[]).map((member) => valueIn(member, known)));
    case ".":
      return attributeValue(operand as { left: Expr; attr: string }, known);
    case "if-then-else":
      return choiceValue(operand as Three, known);
    default: {
      const test = testOf(expression, known);
      return typeof test === "boolean" ? { constant: test } : { read: test };
    }
  }
}

/** What gives a boolean; everything else in a condition is a value. */
const TESTS: ReadonlySet<string> = new Set([...Object.keys(COMPARISONS), "&&", "||", "!", "is", "has", "isEmpty"]);

function setValue(members: readonly Value[]): Value {
  const constants = members.flatMap((member) => ("constant" in member ? [member.constant] : []));
  if (constants.length === members.length) return { constant: constants };
  const reads = members.map((member): Read => ("constant" in member ? () => member.constant : member.read));
  return { read: (attributes) => reads.map((read) => read(attributes)) };
}

function attributeValue({ left, attr }: { left: Expr; attr: string }, known: Known): Value {
  const name = contextAttribute(left, attr);
  const constant = known.attributes[name];
  if (constant !== undefined) return { constant };
  const read = READERS[name];
  return {
    read: (attributes) => {
      const value = read(attributes);
      if (value === undefined) throw new Error(`context.${name} is absent`);
      return value;
    },
  };
}

function choiceValue(parts: Three, known: Known): Value {
  const condition = testOf(parts.if, known);
  if (typeof condition === "boolean") return valueIn(condition ? parts.then : parts.else, known);
  const [yes, no] = [valueIn(parts.then, known), valueIn(parts.else, known)];
  const ask = (value: Value, attributes: Attributes) => ("constant" in value ? value.constant : value.read(attributes));
  return { read: (attributes) => ask(condition(attributes) ? yes : no, attributes) };
}

/** Enumeration values are compared by name, for both sides are of one enumeration. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if ("__entity" in value) return (value.__entity as { id: string }).id;
  throw new Unsupported("record");
}

function contextAttribute(record: Expr, name: string | string[]): keyof Attributes {
  if (!("Var" in record) || record.Var !== "context") throw new Unsupported("not the context");
  if (typeof name !== "string" || !isAttribute(name)) throw new Unsupported(String(name));
  return name;
}

function asBoolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw new Error("a boolean is due");
  return value;
}

function asNumber(value: unknown): number {
  if (typeof value !== "number") throw new Error("a number is due");
  return value;
}

function asList(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error("a set is due");
  return value;
}

function equal(left: unknown, right: unknown): boolean {
  if (!Array.isArray(left) || !Array.isArray(right)) return left === right;
  return left.every((member) => right.includes(member)) && right.every((member) => left.includes(member));
}
