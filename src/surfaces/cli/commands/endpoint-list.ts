import type { CallInput } from "../client.ts";
import type { CommandContext } from "../command-context.ts";
import { ENDPOINT_COLUMNS } from "../endpoint-text.ts";
import { listPages } from "../list-pages.ts";

export async function endpointList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const filter = { environment: context.text("environment") } as CallInput<"endpoints.list">["query"];
  const page = await listPages(context, (part) => client.call("endpoints.list", { query: { ...filter, ...part } }));
  await context.showPage(page, ENDPOINT_COLUMNS, "no endpoints");
  return 0;
}
