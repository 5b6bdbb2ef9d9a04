import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { fileError, pathOf, writeNewFile } from "../files.ts";
import { profileTableFile } from "../read-table-file.ts";
import { textTable } from "../text-table.ts";

/** Writes what a table's columns hold and keep to, for the monitor to compare with. */
export async function monitorBaseline(context: CommandContext): Promise<number> {
  const file = context.text("file") ?? "";
  const labels = context.list("label");
  const folder = context.text("outputFile") ?? ".";
  const { rows, statistics, constraints, columns } = await profileTableFile(context, { file, where: "-f", labels });
  if (columns.length === 0) throw malformed("no column is left", "--label", "must leave what the model takes");
  try {
    await mkdir(pathOf(context, folder), { recursive: true });
  } catch (error) {
    throw fileError(error, { file: folder, where: "-o" });
  }
  const files = { statistics: join(folder, "statistics.json"), constraints: join(folder, "constraints.json") };
  await writeNewFile(context, { file: files.statistics, text: `${JSON.stringify(statistics)}\n`, where: "-o" });
  await writeNewFile(context, {
    file: files.constraints,
    text: `${JSON.stringify(constraints, null, 2)}\n`,
    where: "-o",
  });
  const lines = columns.map(({ name, type, kinds }) => ({ name, type, missing: kinds.missing }));
  await context.show({ rows, files, columns: lines }, () => {
    const table = textTable(
      lines,
      [
        { heading: "COLUMN", value: ({ name }) => name },
        { heading: "TYPE", value: ({ type }) => type },
        { heading: "MISSING", value: ({ missing }) => missing },
      ],
      "no columns",
    );
    return `${table}wrote ${files.statistics} and ${files.constraints}: ${rows} rows, ${lines.length} columns\n`;
  });
  return EXIT.ok;
}
