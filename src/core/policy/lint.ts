import type { Problem } from "../error.ts";
import type { Level } from "./decision.ts";
import { type DecisionTable, isTableFile, parseTable } from "./decision-table.ts";
import { checkPolicySet } from "./load-policy-set.ts";
import type { Policy, PolicyFile } from "./policy.ts";
import { parseSettings } from "./settings.ts";

export interface LintFinding {
  /** An error keeps the set from loading; a warning does not. */
  severity: "error" | "warning";
  /** Below the folder that was checked. */
  file: string;
  /** From 1. */
  line: number;
  message: string;
}

/**
 * Everything that is wrong with a policy folder: `own` beside the shipped files, or the shipped files alone. All
 * problems, not the first; a clause that no table tests in both directions is a warning.
 */
export function lintPolicies(shipped: readonly PolicyFile[], own?: readonly PolicyFile[]): LintFinding[] {
  const checked = own ?? shipped;
  const all = [...shipped, ...(own ?? []).map((file) => ({ ...file, path: `own/${file.path}` }))];
  const { set, problems } = checkPolicySet(all);
  const findings = problems.map((problem) => errorOf(problem));
  const tables: DecisionTable[] = [];
  for (const file of checked.filter(isTableFile)) {
    const table = parseTable(file);
    if (table.ok) tables.push(table.value);
    else findings.push(errorOf(table.problem));
  }
  const settings = checked.find(({ path }) => path === "settings.json");
  const parsed = settings && parseSettings(settings.text);
  if (parsed?.ok === false) findings.push(errorOf({ path: "settings.json", message: parsed.problem.message }));
  const owner = own === undefined ? "shipped" : "own";
  const policies = [...(set?.policies.values() ?? [])].filter((policy) => policy.owner === owner);
  return [...findings, ...untested(policies, tables)];
}

/** The loader marks a user's files with `own/`, and puts the line before the message. */
function errorOf({ path, message }: Problem): LintFinding {
  const [, line, text] = /^(\d+):(?:\d+:)?\s*(.*)$/s.exec(message) ?? [];
  const file = path.replace(/^own\//, "");
  return { severity: "error", file, line: Number(line ?? 1), message: text ?? message };
}

/** A policy that was never seen to speak, or never to keep silent, may say anything. */
function untested(policies: readonly Policy[], tables: readonly DecisionTable[]): LintFinding[] {
  const cases = tables.flatMap((table) => table.cases);
  return policies.flatMap(({ id, clause, level, file, line, discharged }) => {
    const lists = cases.flatMap((one) => one.expect[level] ?? []);
    const refused = cases.flatMap((one) => one.expect.refused ?? []);
    const speaks = lists.includes(clause) || refused.includes(clause);
    const silent = cases.some((one) => isSilent(one.expect, clause, level));
    // What the program itself discharges is said of every plan.
    if (speaks && (silent || discharged !== null)) return [];
    const lacks = speaks ? "keeps silent" : "speaks";
    const message = `no table has a case where ${clause} ${lacks} at the level ${level} (policy ${id})`;
    return [{ severity: "warning" as const, file: file.replace(/^own\//, ""), line, message }];
  });
}

function isSilent(
  expected: { refused?: string[] | undefined } & Partial<Record<Level, string[] | undefined>>,
  clause: string,
  level: Level,
): boolean {
  const listed = expected[level];
  const refused = expected.refused;
  return (listed !== undefined && !listed.includes(clause)) || (refused !== undefined && !refused.includes(clause));
}
