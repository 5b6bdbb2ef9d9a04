import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { pathOf } from "../files.ts";
import { importFile } from "../import-file.ts";
import { listPages } from "../list-pages.ts";
import type { Column } from "../text-table.ts";

type Artifact = OperationOutput<"artifacts.put">;

export async function artifactImport(context: CommandContext): Promise<number> {
  const file = context.argument(0);
  const client = await context.client();
  const artifact = await importFile(client, { path: pathOf(context, file), file, where: "the artifact" });
  await context.show(artifact, () => `store:${artifact.digest}\n`);
  return 0;
}

export async function artifactList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("artifacts.list", { query: part }));
  const columns: Column<Artifact>[] = [
    { heading: "DIGEST", value: ({ digest }) => digest },
    { heading: "BYTES", value: ({ sizeBytes }) => sizeBytes },
    { heading: "ENCRYPTED", value: ({ encrypted }) => (encrypted ? "yes" : "no") },
    { heading: "CREATED", value: ({ createdAt }) => createdAt },
  ];
  await context.showPage(page, columns, "no artifacts");
  return 0;
}
