import { type LintFinding, lintPolicies } from "../../../core/policy/lint.ts";
import { protectionProblems } from "../../../core/policy/protected-clauses.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { isWholeSet, loadedPolicy, ownFiles, shippedFiles } from "../offline-policy.ts";
import { type Column, textTable } from "../text-table.ts";

const COLUMNS: readonly Column<LintFinding>[] = [
  { heading: "PLACE", value: ({ file, line }) => `${file}:${line}` },
  { heading: "SEVERITY", value: ({ severity }) => severity },
  { heading: "MESSAGE", value: ({ message }) => message },
];

/** Every problem of a folder; an error ends with exit code 1, warnings alone do not. */
export async function policyLint(context: CommandContext): Promise<number> {
  const folder = context.args[0];
  const findings = folder === undefined ? lintPolicies(shippedFiles()) : lintFolder(context, folder);
  const errors = findings.filter(({ severity }) => severity === "error").length;
  await context.show({ ok: errors === 0, findings }, () => textTable(findings, COLUMNS, "nothing is wrong"));
  return errors === 0 ? EXIT.ok : EXIT.failed;
}

/** A whole set stands for itself, and must leave alone what nobody may change. */
function lintFolder(context: CommandContext, folder: string): LintFinding[] {
  const files = ownFiles(context, folder, "the folder");
  if (!isWholeSet(files)) return lintPolicies(shippedFiles(), files);
  const findings = lintPolicies(files);
  if (findings.some(({ severity }) => severity === "error")) return findings;
  const problems = protectionProblems(
    loadedPolicy(shippedFiles(), "the shipped set").set,
    loadedPolicy(files, folder).set,
  );
  const at = { severity: "error", file: folder, line: 1 } as const;
  return [...problems.map((message) => ({ ...at, message })), ...findings];
}
