import type { Parsed, Problem } from "../error.ts";
import { DEPTH_MAX, keyProblem, type Located, numberProblem, printable, quote, stringProblem } from "./input-rules.ts";
import { escapeSegment } from "./json-pointer.ts";
import { type PlanInput, planInputSchema } from "./schema.ts";
import { shapeProblem } from "./shape-problem.ts";
import { readJson } from "./strict-json.ts";
import { readYaml } from "./strict-yaml.ts";

export { parseJsonStrict } from "./strict-json.ts";

/**
 * Reads a plan from YAML 1.2 (core schema) or JSON. Never throws on input. The problem's message is one line that
 * stands alone: the file with line and column, what is wrong, and what would be right; its path is a JSON pointer.
 * A `fileName` that ends in `.json` is read as JSON and nothing else.
 */
export function parsePlan(text: string, options: { fileName?: string } = {}): Parsed<PlanInput> {
  const fileName = options.fileName ?? "plan";
  const read = fileName.toLowerCase().endsWith(".json") ? readJson(text) : readYaml(text);
  if (!read.ok) return { ok: false, problem: inFile(fileName, read.problem) };
  const plan = checkShape(read.value.value);
  if (plan.ok) return plan;
  return { ok: false, problem: inFile(fileName, atPlace(plan.problem, read.value)) };
}

/** Checks the shape of a plan that came as a parsed body. The message says where and what, with no file. */
export function validatePlanInput(value: unknown): Parsed<PlanInput> {
  const problem = valueProblem(value, "", 0);
  return problem === undefined ? checkShape(value) : { ok: false, problem };
}

function checkShape(value: unknown): Parsed<PlanInput> {
  const parsed = planInputSchema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, problem: shapeProblem(parsed.error, planInputSchema, value) };
}

/** What is missing has no place of its own: the mapping that lacks it has. */
function atPlace(problem: Problem, text: Located): Problem {
  for (let path = problem.path; ; path = path.slice(0, path.lastIndexOf("/"))) {
    const place = text.locate(path);
    if (place) return { path: problem.path, message: `${place.line}:${place.column}: ${problem.message}` };
    if (path === "") return problem;
  }
}

function inFile(fileName: string, problem: Problem): Problem {
  const separator = /^\d+:\d+:/.test(problem.message) ? ":" : ": ";
  return { path: problem.path, message: `${fileName}${separator}${problem.message}` };
}

/** The readers' rules, for a value that some other reader made. */
function valueProblem(value: unknown, path: string, depth: number): Problem | undefined {
  if (depth > DEPTH_MAX)
    return { path, message: `${printable(path)}: nested deeper than ${DEPTH_MAX} levels; flatten it` };
  const wrong = scalarProblem(value);
  if (wrong !== undefined) return { path, message: `${printable(path) || "the document"}: ${wrong}` };
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const memberPath = `${path}/${escapeSegment(key)}`;
    const bad = keyProblem(key, NOTHING_SEEN);
    if (bad !== undefined) return { path: memberPath, message: `${printable(path) || "the document"}: ${bad}` };
    const deeper = valueProblem(member, memberPath, depth + 1);
    if (deeper !== undefined) return deeper;
  }
  return undefined;
}

const NOTHING_SEEN = new Set<string>();

function scalarProblem(value: unknown): string | undefined {
  if (typeof value === "string") return stringProblem(value);
  if (typeof value === "number") return numberProblem(value, String(value));
  if (typeof value === "object" || typeof value === "boolean") return undefined;
  return `${quote(typeof value)} is no JSON value; write a string, number, boolean, list or mapping`;
}
