import { type LintFinding, lintPolicies } from "../../../core/policy/lint.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { ownFiles, shippedFiles } from "../offline-policy.ts";
import { type Column, textTable } from "../text-table.ts";

const COLUMNS: readonly Column<LintFinding>[] = [
  { heading: "PLACE", value: ({ file, line }) => `${file}:${line}` },
  { heading: "SEVERITY", value: ({ severity }) => severity },
  { heading: "MESSAGE", value: ({ message }) => message },
];

/** Every problem of a folder; an error ends with exit code 1, warnings alone do not. */
export async function policyLint(context: CommandContext): Promise<number> {
  const folder = context.args[0];
  const findings = lintPolicies(
    shippedFiles(),
    folder === undefined ? undefined : ownFiles(context, folder, "the folder"),
  );
  const errors = findings.filter(({ severity }) => severity === "error").length;
  await context.show({ ok: errors === 0, findings }, () => textTable(findings, COLUMNS, "nothing is wrong"));
  return errors === 0 ? EXIT.ok : EXIT.failed;
}
