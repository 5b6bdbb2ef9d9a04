import type { CommandContext } from "../command-context.ts";
import { rolloutText } from "../rollout-text.ts";

export async function rolloutGet(context: CommandContext): Promise<number> {
  const client = await context.client();
  const rollout = await client.call("rollouts.get", { params: { id: context.argument(0) } });
  await context.show(rollout, () => rolloutText(rollout, context.paint));
  return 0;
}
