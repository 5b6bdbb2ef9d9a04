import { failed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { textRecord } from "../text-table.ts";

export async function tokenBootstrap(context: CommandContext): Promise<number> {
  const config = await context.config();
  const made = await (await context.injected.maintenance()).bootstrap({ config });
  if (made === undefined) throw failed(`the tenant ${config.tenant} has people already: ask one of them for a token`);
  await context.show(made, () => textRecord({ tenant: made.tenant, principal: "admin", token: made.token }));
  context.note("this is the only time that the token is shown");
  return 0;
}
