import type { CommandContext } from "../command-context.ts";
import { rolloutText } from "../rollout-text.ts";
import { verdictText } from "../verdict-text.ts";

export async function rolloutGet(context: CommandContext): Promise<number> {
  const client = await context.client();
  const rollout = await client.call("rollouts.get", { params: { id: context.argument(0) } });
  const { verdict } = rollout;
  const sums = () => (verdict == null ? "" : `\n${verdictText(verdict, context.paint)}`);
  await context.show(rollout, () => rolloutText(rollout, context.paint) + sums());
  return 0;
}
