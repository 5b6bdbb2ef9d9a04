import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { fileError, pathOf } from "../files.ts";
import { listPages } from "../list-pages.ts";
import type { Column } from "../text-table.ts";

type Listed = OperationOutput<"audit.checkpoints">["items"][number];

/** Lists the signed checkpoints; with a folder, keeps them there as files that `audit verify --checkpoint` reads. */
export async function auditCheckpoints(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("audit.checkpoints", { query: part }));
  const folder = context.text("out");
  if (folder !== undefined) await keep(context, folder, page.items);
  const columns: Column<Listed>[] = [
    { heading: "ENTRIES", value: ({ size }) => size },
    { heading: "SIGNED AT", value: ({ createdAt }) => createdAt },
    { heading: "LOG", value: ({ origin }) => origin },
    { heading: "PUBLISHED", value: ({ publications }) => publications.map(publicationWords).join(", ") },
  ];
  await context.showPage(page, columns, "nothing was signed yet");
  return EXIT.ok;
}

function publicationWords({ archive, state, failure }: Listed["publications"][number]): string {
  return `${archive}: ${state}${failure === null ? "" : ` (${failure})`}`;
}

async function keep(context: CommandContext, folder: string, items: readonly Listed[]): Promise<void> {
  for (const { origin, size, note } of items) {
    const log = join(pathOf(context, folder), origin.replaceAll("/", "_"));
    try {
      await mkdir(log, { recursive: true });
      await writeFile(join(log, `${String(size).padStart(16, "0")}.checkpoint`), note, { flag: "wx" });
    } catch (error) {
      // What was kept before stays: a checkpoint of a size says the same each time.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw fileError(error, { file: folder, where: "-O" });
    }
  }
}
