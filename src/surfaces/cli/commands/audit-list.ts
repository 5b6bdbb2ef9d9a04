import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { listPages } from "../list-pages.ts";
import type { Column } from "../text-table.ts";

type Entry = OperationOutput<"audit.list">["items"][number];

export async function auditList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const subject = context.text("subject");
  const query = subject === undefined ? {} : { subject };
  const page = await listPages(context, (part) => client.call("audit.list", { query: { ...query, ...part } }));
  const columns: Column<Entry>[] = [
    { heading: "#", value: ({ position }) => position },
    { heading: "AT", value: ({ at }) => at },
    { heading: "WHO", value: ({ actor, actorKind }) => `${actor} (${actorKind})` },
    { heading: "DID", value: ({ action }) => action },
    { heading: "TO", value: ({ subject: about }) => about },
    { heading: "OUTCOME", value: ({ outcome }) => outcome },
  ];
  await context.showPage(page, columns, "the log is empty");
  return 0;
}
