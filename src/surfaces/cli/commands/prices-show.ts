import { parsePriceTable } from "../../../core/pricing/price-table.ts";
import type { CommandContext } from "../command-context.ts";
import { shippedData, shippedFiles } from "../offline-policy.ts";
import { textRecord, textTable } from "../text-table.ts";

export async function pricesShow(context: CommandContext): Promise<number> {
  const prices = context.flag("server")
    ? await (await context.client()).call("prices.show", {})
    : shippedData(shippedFiles(), "prices.json", parsePriceTable);
  await context.show(prices, () => {
    const { usdPerHour, ...about } = prices;
    const rows = Object.entries(usdPerHour).map(([type, usd]) => ({ type, usd }));
    const columns = [
      { heading: "TYPE", value: ({ type }: (typeof rows)[number]) => type },
      { heading: "$/HOUR", value: ({ usd }: (typeof rows)[number]) => usd },
    ];
    return `${textRecord(about)}\n${textTable(rows, columns, "no prices")}`;
  });
  return 0;
}
