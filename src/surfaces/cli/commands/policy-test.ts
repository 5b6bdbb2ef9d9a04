import { isTableFile, parseTable } from "../../../core/policy/decision-table.ts";
import type { PolicyFile } from "../../../core/policy/policy.ts";
import { type CaseResult, parseBases, runTable } from "../../../core/policy/run-table.ts";
import { failed, malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { isWholeSet, loadOfflinePolicy, ownFiles, shippedData, shippedFiles } from "../offline-policy.ts";
import { printable } from "../printable.ts";

/** Runs the decision tables of a folder over the shipped set with the folder's policies beside it. */
export async function policyTest(context: CommandContext): Promise<number> {
  const folder = context.args[0];
  const shipped = shippedFiles();
  const own = folder === undefined ? undefined : { folder, files: ownFiles(context, folder, "the folder") };
  const policy = loadOfflinePolicy(own === undefined ? { shipped } : { shipped, own });
  const whole = own !== undefined && isWholeSet(own.files) && own.files.some(({ path }) => path === "bases.yaml");
  const ground = { ...policy, bases: shippedData(whole ? own.files : shipped, "bases.yaml", parseBases) };
  const tables = (own?.files ?? shipped).filter(isTableFile).map((file) => tableOf(file));
  // No case at all would look like every case holding.
  if (tables.length === 0)
    throw failed(`no decision table in ${folder ?? "the shipped set"}: they stand in tables/*.yaml`);
  const results = tables.flatMap((table) => runTable(ground, table));
  const broken = results.filter(({ passed }) => !passed);
  const summary = {
    ok: broken.length === 0,
    policyDigest: policy.set.digest,
    cases: results.length,
    failed: broken.length,
    results,
  };
  await context.show(
    summary,
    () =>
      `${broken.map((result) => brokenText(result, context)).join("")}${results.length - broken.length} of ${results.length} cases hold\n`,
  );
  return broken.length === 0 ? EXIT.ok : EXIT.failed;
}

function tableOf(file: PolicyFile): Extract<ReturnType<typeof parseTable>, { ok: true }>["value"] {
  const table = parseTable(file);
  if (!table.ok) throw malformed("bad decision table", "", `${table.problem.path}:${table.problem.message}`);
  return table.value;
}

function brokenText({ file, line, name, problems }: CaseResult, { paint }: CommandContext): string {
  return `${paint.bad("FAILS")}  ${file}:${line}  ${printable(name)}\n${problems.map((problem) => `       ${printable(problem)}\n`).join("")}`;
}
