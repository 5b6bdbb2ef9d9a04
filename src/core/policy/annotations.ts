import type { Expr, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { ATTRIBUTES, isMoney } from "./attributes.ts";
import { clauseProblem } from "./clause-list.ts";
import type { EvidenceKind, Level } from "./decision.ts";
import { type Due, FIXES, type Fix, type Limit, type Policy } from "./policy.ts";
import { whatIf } from "./what-if.ts";

/** The action whose forbids have a level: how they nest is said in the schema. */
const LEVEL_OF_ACTION: Readonly<Record<string, Level>> = {
  deploy: "deny",
  deployUnattended: "approval",
  deployProven: "require",
  deployClean: "advise",
};

const EVIDENCE: readonly EvidenceKind[] = [
  "tests",
  "image-signature",
  "manifest-signature",
  "provenance",
  "encryption",
  "artifact-digest",
  "approver-signature",
  "baseline",
  "dry-run",
];

const KNOWN = [
  "id",
  "clause",
  "level",
  "reason",
  "source",
  "path",
  "observed",
  "limit",
  "fix",
  "obligation",
  "discharged",
];

export interface PolicyPlace {
  file: string;
  line: number;
  owner: Policy["owner"];
  text: string;
}

/** Reads what the annotations of a forbid say; throws an `AnnotationError` with one line when they do not hold together. */
export function readAnnotations(json: PolicyJson, place: PolicyPlace): Policy {
  const notes = json.annotations ?? {};
  const unknown = Object.keys(notes).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined)
    fail(`annotation @${unknown} is not known; known are ${KNOWN.map((name) => `@${name}`).join(", ")}`);
  const id = required(notes, "id");
  const clause = notes["clause"] ?? (place.owner === "shipped" ? (id.split(".")[0] ?? id) : id);
  const wrongClause = clauseProblem(clause, place.owner);
  if (wrongClause !== undefined) fail(wrongClause);
  const level = readLevel(json, required(notes, "level"));
  const { document, section } = readSource(required(notes, "source"), place.owner);
  const observed = notes["observed"] ?? null;
  const limit = notes["limit"] === undefined ? null : readLimit(notes["limit"]);
  const reads = new Set<string>();
  const literals = new Set<unknown>();
  for (const condition of json.conditions) collect(condition.body, reads, literals);
  checkNumbers(literals);
  checkLimit(literals, limit, observed);
  const due = notes["obligation"] === undefined ? null : readDue(notes["obligation"]);
  checkDue(level, due, notes["discharged"], place.owner);
  const fix = notes["fix"] === undefined ? null : readFix(notes["fix"], level);
  const path = notes["path"] ?? null;
  const reason = required(notes, "reason");
  return {
    id,
    clause,
    level,
    reason,
    document,
    section,
    path,
    observed,
    limit,
    fix,
    due,
    discharged: notes["discharged"] ?? null,
    gates: gatesOf(level, due, reads, literals),
    reads,
    literals,
    whatIf: whatIf(json),
    meaning: JSON.stringify([json.effect, json.principal, json.action, json.resource, json.conditions]),
    ...place,
  };
}

/** A condition that names a gate holds there; otherwise what is due is due before any effect, and the rest always. */
function gatesOf(level: Level, due: Due | null, reads: ReadonlySet<string>, literals: ReadonlySet<unknown>): string {
  const named = ["propose", "verify", "pre-provision", "run"].filter((gate) => literals.has(gate));
  if (reads.has("gate") && named.length > 0) return named.join(", ");
  if (due?.kind === "snapshot") return "pre-provision";
  if (due !== null) return "verify, pre-provision";
  return level === "advise" ? "propose" : "propose, verify, pre-provision";
}

export class AnnotationError extends Error {}

function fail(message: string): never {
  throw new AnnotationError(message);
}

function required(notes: Record<string, string>, name: string): string {
  const value = notes[name];
  return value === undefined || value.trim() === ""
    ? fail(`@${name}("...") is missing; every policy needs one`)
    : value;
}

/** The level of the action that a policy's scope names; undefined when it names no such action, or in another way. */
export function levelOf({ action }: Pick<PolicyJson, "action">): Level | undefined {
  const named = action.op === "in" && "entity" in action ? action.entity : undefined;
  const { type, id } = named === undefined ? {} : "__entity" in named ? named.__entity : named;
  return type === "Action" && id !== undefined ? LEVEL_OF_ACTION[id] : undefined;
}

/** The action decides the level; the annotation is for readers, so the two must agree. */
function readLevel(json: PolicyJson, stated: string): Level {
  const level = levelOf(json);
  if (level === undefined) {
    return fail('the action must be: action in Action::"deploy", "deployUnattended", "deployProven" or "deployClean"');
  }
  const action = Object.keys(LEVEL_OF_ACTION).find((name) => LEVEL_OF_ACTION[name] === level);
  return level === stated
    ? level
    : fail(`@level("${stated}") does not agree with Action::"${action}", which is ${level}`);
}

function readSource(source: string, owner: Policy["owner"]): Pick<Policy, "document" | "section"> {
  const [document, section, ...rest] = source.split("#");
  if (!document || !section || rest.length > 0) return fail('@source must be "document#section"');
  if (owner === "own") return { document: "own", section: source };
  if (document === "agentops" || document === "continuum") return { document, section };
  return fail("@source of a shipped policy must name the document agentops or continuum");
}

function readLimit(text: string): Limit {
  if (text.startsWith("context.")) return { kind: "attribute", name: text.slice("context.".length) };
  if (text === "true" || text === "false") return { kind: "value", value: text === "true" };
  if (/^\d+(\.\d+)?$/.test(text)) return { kind: "value", value: Number(text) };
  if (text.includes(",")) return { kind: "value", value: text.split(",").map((part) => part.trim()) };
  return { kind: "value", value: text };
}

/** Syntax trees and attributes are JSON here: a number that JSON rounds would be compared as another one. */
function checkNumbers(literals: ReadonlySet<unknown>): void {
  const rounded = [...literals].find((literal) => typeof literal === "number" && !Number.isSafeInteger(literal));
  if (rounded !== undefined)
    fail(
      `the condition names a number beyond ${Number.MAX_SAFE_INTEGER}, which no attribute reaches; write a smaller one`,
    );
}

/** What a decision shows must be what Cedar compared: an annotation that drifted from its condition is refused. */
function checkLimit(literals: ReadonlySet<unknown>, limit: Limit | null, observed: string | null): void {
  const shownAttribute = limit?.kind === "attribute" ? limit.name : observed;
  for (const name of [observed, shownAttribute]) {
    if (name !== null && !ATTRIBUTES.has(name))
      fail(`context.${name} is not known; known are ${[...ATTRIBUTES].join(", ")}`);
  }
  if (limit?.kind !== "value" || typeof limit.value === "boolean") return;
  const shown =
    typeof limit.value === "number" && isMoney(observed) ? Math.round(limit.value * 1_000_000) : limit.value;
  for (const part of Array.isArray(shown) ? shown : [shown]) {
    if (!literals.has(part)) fail(`@limit(${JSON.stringify(String(part))}) does not stand in the policy's condition`);
  }
}

/** The attributes of `context` that an expression reads, and the literals it compares them with. */
export function collect(expression: Expr, read: Set<string>, literals: Set<unknown>): void {
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    if ("Value" in node) addLiteral(node.Value, literals);
    const member = "." in node ? node["."] : "has" in node ? node["has"] : undefined;
    if (isContextMember(member)) read.add(member.attr);
    Object.values(node).forEach(visit);
  };
  visit(expression);
}

function addLiteral(value: unknown, literals: Set<unknown>): void {
  if (Array.isArray(value)) for (const item of value) addLiteral(item, literals);
  else if (typeof value === "object" && value !== null && "__entity" in value)
    literals.add((value.__entity as { id: string }).id);
  else literals.add(value);
}

function isContextMember(value: unknown): value is { attr: string } {
  if (typeof value !== "object" || value === null || !("left" in value) || !("attr" in value)) return false;
  const { left, attr } = value;
  return (
    typeof attr === "string" && typeof left === "object" && left !== null && "Var" in left && left.Var === "context"
  );
}

function readDue(text: string): Due {
  const [kind, of, ...rest] = text.split(":");
  if (kind === "snapshot" && of === undefined) return { kind };
  const evidence = EVIDENCE.find((known) => known === of);
  if (kind === "evidence" && evidence !== undefined && rest.length === 0) return { kind, of: evidence };
  const role = of === "approver" || of === "budget-owner" ? of : undefined;
  const onlyKnown = rest.every((word) => word === "mfa" || word === "signed");
  if (kind === "approval" && role !== undefined && onlyKnown) {
    return { kind, role, mfa: rest.includes("mfa"), signed: rest.includes("signed") };
  }
  return fail(
    `@obligation(${JSON.stringify(text)}) is not known; write "snapshot", "evidence:KIND" or "approval:ROLE[:mfa][:signed]" with the roles approver and budget-owner`,
  );
}

function checkDue(level: Level, due: Due | null, discharged: string | undefined, owner: Policy["owner"]): void {
  if (discharged !== undefined && owner === "own") fail("@discharged is for shipped policies; name an @obligation");
  if (level === "approval" && due?.kind !== "approval")
    fail('a policy at the level "approval" needs @obligation("approval:ROLE")');
  if (level === "require" && discharged === undefined && (due === null || due.kind === "approval")) {
    fail('a policy at the level "require" needs @obligation("evidence:KIND") or @obligation("snapshot")');
  }
  if ((level === "deny" || level === "advise") && due !== null)
    fail(`a policy at the level "${level}" has no @obligation`);
}

function readFix(text: string, level: Level): Fix {
  const fix = FIXES.find((known) => known === text);
  if (fix === undefined) return fail(`@fix(${JSON.stringify(text)}) is not known; known are ${FIXES.join(", ")}`);
  return level === "deny" ? fix : fail("@fix is for denials: nothing else keeps a plan out");
}
