import type { CommandContext, ItemPage } from "./command-context.ts";

const LIMIT_MAX = 200;

/** One page as the options say, or with `--all` every page as one. */
export async function listPages<Item>(
  context: CommandContext,
  fetchPage: (page: { cursor?: string; limit?: number }) => Promise<ItemPage<Item>>,
): Promise<ItemPage<Item>> {
  const all = context.flag("all");
  const limit = context.integer("limit", { min: 1, max: LIMIT_MAX }) ?? (all ? LIMIT_MAX : undefined);
  const items: Item[] = [];
  let cursor = context.text("cursor");
  for (;;) {
    const page = await fetchPage({
      ...(cursor === undefined ? {} : { cursor }),
      ...(limit === undefined ? {} : { limit }),
    });
    items.push(...page.items);
    if (!all || page.nextCursor === null) return { items, nextCursor: page.nextCursor };
    cursor = page.nextCursor;
  }
}
