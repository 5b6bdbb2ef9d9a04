import { type Clause, type Expr, type PolicyJson, policyToJson } from "@cedar-policy/cedar-wasm/nodejs";
import { Engine, type NestedCondition, type RuleProperties } from "json-rules-engine";
import type { Attributes } from "../src/core/policy/attributes.ts";
import type { PolicySet } from "../src/core/policy/policy.ts";
import { must } from "./measure.ts";

/** The policy set as json-rules-engine's rules: one a policy, translated from Cedar's own syntax tree. */
export interface JsonRules {
  /** The ids of the policies that forbid. */
  forbidding(attributes: Attributes): Promise<string[]>;
}

export function jsonRules(set: PolicySet): JsonRules {
  const rules = [...set.policies.values()].map(({ id, text }) => ruleOf(id, text));
  const engine = new Engine(rules, { allowUndefinedFacts: true });
  engine.addOperator("present", (fact: unknown, wanted: boolean) => (fact !== undefined) === wanted);
  engine.addOperator("empty", (fact: unknown[], wanted: boolean) => (fact.length === 0) === wanted);
  engine.addOperator("containsAll", (fact: unknown[], all: unknown[]) => all.every((one) => fact.includes(one)));
  engine.addOperator("within", (fact: unknown[], list: unknown[]) => fact.every((one) => list.includes(one)));
  return {
    forbidding: async (attributes) => {
      const { events } = await engine.run({ ...attributes });
      return events.map(({ type }) => type);
    },
  };
}

function ruleOf(id: string, text: string): RuleProperties {
  const parsed = policyToJson(text);
  must(parsed.type === "success", `${id} is Cedar`);
  const json: PolicyJson = parsed.json;
  must(json.principal.op === "All" && json.resource.op === "All", `${id} speaks of every principal and resource`);
  return { name: id, event: { type: id }, conditions: { all: json.conditions.map(clauseOf) } };
}

function clauseOf({ kind, body }: Clause): NestedCondition {
  return kind === "when" ? conditionOf(body) : { not: conditionOf(body) };
}

const COMPARISONS: Readonly<Record<string, string>> = {
  "==": "equal",
  "!=": "notEqual",
  "<": "lessThan",
  "<=": "lessThanInclusive",
  ">": "greaterThan",
  ">=": "greaterThanInclusive",
  contains: "contains",
  containsAll: "containsAll",
};

/** Where the list is the constant, the question is turned round. */
const MEMBERSHIPS: Readonly<Record<string, string>> = { contains: "in", containsAll: "within" };

type Two = { left: Expr; right: Expr };

function conditionOf(expression: Expr): NestedCondition {
  const [operator = "", operand] = Object.entries(expression)[0] ?? [];
  const { left, right } = operand as Two;
  if (operator === "&&") return { all: [conditionOf(left), conditionOf(right)] };
  if (operator === "||") return { any: [conditionOf(left), conditionOf(right)] };
  if (operator === "!") return { not: conditionOf((operand as { arg: Expr }).arg) };
  if (operator === ".") return { fact: factOf(expression), operator: "equal", value: true };
  if (operator === "has")
    return { fact: String((operand as { attr: unknown }).attr), operator: "present", value: true };
  if (operator === "isEmpty") return { fact: factOf((operand as { arg: Expr }).arg), operator: "empty", value: true };
  if ("Set" in left)
    return { fact: factOf(right), operator: MEMBERSHIPS[operator] ?? operator, value: comparedWith(left) };
  const comparison = COMPARISONS[operator];
  must(comparison !== undefined, `json-rules-engine has ${operator}`);
  return { fact: factOf(left), operator: comparison, value: comparedWith(right) };
}

function factOf(expression: Expr): string {
  const access = "." in expression ? (expression["."] as { attr: string }) : undefined;
  must(access !== undefined, `${JSON.stringify(expression)} is an attribute`);
  return access.attr;
}

function comparedWith(expression: Expr): unknown {
  if ("Set" in expression) return expression.Set.map(comparedWith);
  if ("." in expression) return { fact: factOf(expression) };
  must("Value" in expression, `${JSON.stringify(expression)} is a value`);
  const value: unknown = expression.Value;
  const entity = typeof value === "object" && value !== null && "__entity" in value ? value.__entity : undefined;
  return entity === undefined ? value : (entity as { id: string }).id;
}
