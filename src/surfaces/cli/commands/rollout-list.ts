import type { CallInput } from "../client.ts";
import type { CommandContext } from "../command-context.ts";
import { listPages } from "../list-pages.ts";
import { ROLLOUT_COLUMNS } from "../rollout-text.ts";

export async function rolloutList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const filter = {
    environment: context.text("environment"),
    name: context.text("name"),
    phase: context.text("phase"),
    active: context.flag("active") ? "true" : undefined,
  } as CallInput<"rollouts.list">["query"];
  const page = await listPages(context, (part) => client.call("rollouts.list", { query: { ...filter, ...part } }));
  await context.showPage(page, ROLLOUT_COLUMNS, "no rollouts");
  return 0;
}
