import type { CommandContext } from "../command-context.ts";
import { endpointParams } from "../endpoint-params.ts";
import { endpointText } from "../endpoint-text.ts";

export async function endpointGet(context: CommandContext): Promise<number> {
  const client = await context.client();
  const endpoint = await client.call("endpoints.get", { params: endpointParams(context) });
  await context.show(endpoint, () => endpointText(endpoint));
  return 0;
}
