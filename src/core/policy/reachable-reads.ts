import type { Expr, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { type Attributes, FORMS, isAttribute, OPTIONAL_ATTRIBUTES, wordsOf } from "./attributes.ts";

type Name = keyof Attributes;

/** For each environment the attributes that some policy could read there. */
export type ReachableReads = ReadonlyMap<string, readonly Name[]>;

/**
 * What has to be told to Cedar about a plan of each environment. Most conditions begin with a test of the environment,
 * and Cedar's `&&` never looks behind one that is false; every attribute that is not handed over saves time.
 *
 * INVARIANT: leaving out can only deny. An attribute that a policy may test with `has` is always handed over, and
 * reading any other one that is absent is an error to Cedar, which is a denial here.
 */
export function reachableReads(policies: readonly PolicyJson[]): ReachableReads {
  const environments = wordsOf("environment") ?? [];
  return new Map(environments.map((environment) => [environment, readsIn(policies, environment)]));
}

function readsIn(policies: readonly PolicyJson[], environment: string): Name[] {
  const reads = new Set<string>(["environment", ...OPTIONAL_ATTRIBUTES]);
  for (const { conditions } of policies) {
    for (const { kind, body } of conditions) {
      const truth = walk(body, environment, reads);
      // The condition that is known to fail ends the policy there.
      if (truth !== undefined && truth !== (kind === "when")) break;
    }
  }
  return (Object.keys(FORMS) as Name[]).filter((name) => reads.has(name));
}

type Two = { left: Expr; right: Expr };

/** Adds what evaluating the expression could read; answers what it is bound to give, undefined when it depends. */
function walk(expression: Expr, environment: string, reads: Set<string>): boolean | undefined {
  const [operator, operand] = Object.entries(expression)[0] ?? [];
  if (operator === "&&" || operator === "||") {
    const { left, right } = operand as Two;
    const first = walk(left, environment, reads);
    // What decides the whole by itself hides the right side.
    if (first === (operator === "||")) return first;
    const second = walk(right, environment, reads);
    return first === undefined ? undefined : second;
  }
  if (operator === "==") {
    const named = environmentNamed(operand as Two);
    if (named !== undefined) return named === environment;
  }
  if (operator === "!=") {
    const named = environmentNamed(operand as Two);
    if (named !== undefined) return named !== environment;
  }
  addAll(expression, reads);
  return undefined;
}

/** The environment that `context.environment` is compared with, on either side. */
function environmentNamed({ left, right }: Two): string | undefined {
  const [access, other] = "." in left ? [left, right] : [right, left];
  if (!isContextMember(access, "environment") || !("Value" in other)) return undefined;
  const value: unknown = other.Value;
  if (typeof value !== "object" || value === null || !("__entity" in value)) return undefined;
  const { type, id } = value.__entity as { type: string; id: string };
  return type === "Environment" ? id : undefined;
}

function isContextMember(expression: Expr, name: string): boolean {
  if (!("." in expression)) return false;
  const { left, attr } = expression["."] as { left: Expr; attr: string };
  return attr === name && "Var" in left && left.Var === "context";
}

/** Every attribute below; all there are where the context is used as a whole. */
function addAll(node: unknown, reads: Set<string>): void {
  if (typeof node !== "object" || node === null) return;
  if ("Var" in node && node.Var === "context") for (const name of Object.keys(FORMS)) reads.add(name);
  const member = "." in node ? node["."] : "has" in node ? node["has"] : undefined;
  if (isMember(member) && typeof member.attr === "string" && isAttribute(member.attr)) reads.add(member.attr);
  else if (isMember(member)) addAll(member.left, reads);
  else for (const child of Object.values(node)) addAll(child, reads);
}

function isMember(value: unknown): value is { left: Expr; attr: unknown } {
  return typeof value === "object" && value !== null && "left" in value && "attr" in value;
}
