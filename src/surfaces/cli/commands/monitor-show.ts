import type { CommandContext } from "../command-context.ts";
import { endpointParams } from "../endpoint-params.ts";
import { monitorText } from "../monitor-text.ts";

export async function monitorShow(context: CommandContext): Promise<number> {
  const client = await context.client();
  const monitor = await client.call("monitors.get", { params: endpointParams(context) });
  await context.show(monitor, () => monitorText(monitor, context.paint));
  return 0;
}
