import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Parsed } from "../../../core/error.ts";
import { type DatasetConstraints, readConstraints } from "../../../core/monitor/dataset/constraints-file.ts";
import {
  type DatasetStatistics,
  readStatistics,
  STATISTICS_BYTES_MAX,
} from "../../../core/monitor/dataset/statistics-file.ts";
import { type CheckedColumn, checkDataset, type DatasetCheck } from "../../../core/monitor/dataset/violations.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { fileError, pathOf, readTextInput } from "../files.ts";
import { profileTableFile } from "../read-table-file.ts";
import { textTable } from "../text-table.ts";

/** Checks a table against a baseline. Exit code 0 without a violation, 2 with one. */
export async function monitorCheck(context: CommandContext): Promise<number> {
  const baseline = await readBaselineFiles(context);
  const file = context.text("file") ?? "";
  const current = await profileTableFile(context, { file, where: "-f", labels: context.list("label") });
  const check = checkDataset(current, baseline);
  const report = context.text("report") ?? "constraint_violations.json";
  try {
    // A report is what the newest check says, so it takes the place of the one before.
    await writeFile(pathOf(context, report), `${JSON.stringify({ violations: check.violations }, null, 2)}\n`);
  } catch (error) {
    throw fileError(error, { file: report, where: "--report" });
  }
  await context.show({ report, ...check }, () => checkText(context, { report, check }));
  return check.violations.length === 0 ? EXIT.ok : EXIT.denied;
}

/** A folder with both files as `monitor baseline` writes them, or each by its name. */
async function readBaselineFiles(
  context: CommandContext,
): Promise<{ statistics: DatasetStatistics | null; constraints: DatasetConstraints }> {
  const given = context.text("baseline") ?? "";
  const isFolder = await stat(pathOf(context, given)).then(
    (status) => status.isDirectory(),
    () => false,
  );
  const statisticsFile = isFolder ? join(given, "statistics.json") : given;
  const constraintsFile = context.text("constraints") ?? (isFolder ? join(given, "constraints.json") : undefined);
  if (constraintsFile === undefined)
    throw malformed(
      "no constraints",
      `--baseline ${given}`,
      "must be a folder with both files, or go with --constraints",
    );
  return {
    statistics: await readJsonFile(context, { file: statisticsFile, where: "--baseline", read: readStatistics }),
    constraints: await readJsonFile(context, {
      file: constraintsFile,
      where: context.text("constraints") === undefined ? "--baseline" : "--constraints",
      read: readConstraints,
    }),
  };
}

async function readJsonFile<T>(
  context: CommandContext,
  { file, where, read }: { file: string; where: string; read(text: string): Parsed<T> },
): Promise<T> {
  const text = await readTextInput(context, { file, where, bytesMax: STATISTICS_BYTES_MAX });
  const parsed = read(text);
  if (!parsed.ok) throw malformed(parsed.problem.message, `${where} ${file}`, "");
  return parsed.value;
}

function checkText(context: CommandContext, { report, check }: { report: string; check: DatasetCheck }): string {
  const { violations, checks, rows } = check;
  const sum = `${violations.length} of ${checks.length} checks are violated by ${rows} rows; wrote ${report}\n`;
  if (violations.length === 0) return `${context.paint.good("NO VIOLATION")}  ${sum}`;
  const violated = checks.filter(({ holds }) => !holds);
  return `${context.paint.bad("VIOLATIONS")}\n${textTable(violated, COLUMNS, "")}${sum}`;
}

const COLUMNS = [
  { heading: "COLUMN", value: ({ column }: CheckedColumn) => column },
  { heading: "CHECK", value: ({ check }: CheckedColumn) => check },
  { heading: "WHY", value: ({ message }: CheckedColumn) => message },
];
