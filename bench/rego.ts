import { type Clause, type Expr, type PolicyJson, policyToJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { PolicySet } from "../src/core/policy/policy.ts";
import { must } from "./measure.ts";

/** The policy set in Rego: one rule a policy, which adds the policy's id to `data.continuum.forbidding`. */
export function regoOf(set: PolicySet): string {
  const rules = [...set.policies.values()].map(({ id, text }) => ruleOf(id, text));
  return ["package continuum", ...rules].join("\n\n");
}

function ruleOf(id: string, text: string): string {
  const parsed = policyToJson(text);
  must(parsed.type === "success", `${id} is Cedar`);
  const json: PolicyJson = parsed.json;
  must(json.principal.op === "All" && json.resource.op === "All", `${id} speaks of every principal and resource`);
  const alternatives = json.conditions.map(clauseOf).reduce<string[][]>(both, [[]]);
  return alternatives
    .map((body) => `forbidding contains ${JSON.stringify(id)} if {\n  ${body.join("\n  ")}\n}`)
    .join("\n\n");
}

function clauseOf({ kind, body }: Clause): string[][] {
  return alternativesOf(body, kind === "when");
}

/** A body of Rego is a conjunction, so a condition becomes its alternatives, and what is negated goes to the leaves. */
function both(first: readonly string[][], second: readonly string[][]): string[][] {
  return first.flatMap((one) => second.map((other) => [...one, ...other]));
}

type Two = { left: Expr; right: Expr };
type One = { arg: Expr };

function alternativesOf(expression: Expr, wanted: boolean): string[][] {
  const [operator = "", operand] = Object.entries(expression)[0] ?? [];
  if (operator === "!") return alternativesOf((operand as One).arg, !wanted);
  if (operator === "&&" || operator === "||") {
    const { left, right } = operand as Two;
    const sides = [alternativesOf(left, wanted), alternativesOf(right, wanted)] as const;
    return (operator === "&&") === wanted ? both(...sides) : sides.flat();
  }
  return [[leafOf(operator, operand, expression, wanted)]];
}

const OPPOSITES: Readonly<Record<string, string>> = {
  ...{ "==": "!=", "!=": "==", "<": ">=", ">=": "<", "<=": ">", ">": "<=" },
};

function leafOf(operator: string, operand: unknown, expression: Expr, wanted: boolean): string {
  if (operator === ".") return `${termOf(expression)} == ${wanted}`;
  if (operator === "has") {
    const { attr } = operand as { attr: unknown };
    return `object.get(input, ${JSON.stringify(attr)}, null) ${wanted ? "!=" : "=="} null`;
  }
  if (operator === "isEmpty") return `count(${termOf((operand as One).arg)}) ${wanted ? "==" : "!="} 0`;
  const { left, right } = operand as Two;
  if (operator === "contains") return `${wanted ? "" : "not "}${termOf(right)} in ${termOf(left)}`;
  if (operator === "containsAll") {
    const missing = `{one | some one in ${termOf(right)}} - {one | some one in ${termOf(left)}}`;
    return `count(${missing}) ${wanted ? "==" : "!="} 0`;
  }
  const sign = wanted ? operator : OPPOSITES[operator];
  must(sign !== undefined && operator in OPPOSITES, `the translation to Rego has ${operator}`);
  return `${termOf(left)} ${sign} ${termOf(right)}`;
}

function termOf(expression: Expr): string {
  if ("." in expression) return `input.${(expression["."] as { attr: string }).attr}`;
  if ("Set" in expression) return `{${expression.Set.map(termOf).join(", ")}}`;
  must("Value" in expression, `${JSON.stringify(expression)} is a value`);
  const value: unknown = expression.Value;
  const entity = typeof value === "object" && value !== null && "__entity" in value ? value.__entity : undefined;
  return JSON.stringify(entity === undefined ? value : (entity as { id: string }).id);
}
