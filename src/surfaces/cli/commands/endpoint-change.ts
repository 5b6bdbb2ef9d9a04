import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { endpointParams } from "../endpoint-params.ts";
import { endpointText } from "../endpoint-text.ts";
import { confirm } from "../prompt.ts";

export async function endpointScale(context: CommandContext): Promise<number> {
  const instanceCount = context.integer("instances", { min: 1, max: 10_000 }) ?? 1;
  const client = await context.client();
  const endpoint = await client.call("endpoints.scale", { params: endpointParams(context), body: { instanceCount } });
  await context.show(endpoint, () => endpointText(endpoint));
  return 0;
}

export async function endpointDelete(context: CommandContext): Promise<number> {
  const params = endpointParams(context);
  const name = `${params.environment}-${params.name} on ${params.target}`;
  if (!context.flag("yes") && !(await confirm(context.io, `Remove ${name} and what it holds?`)))
    throw malformed(`nothing was removed`, name, "say --yes, or answer yes on a terminal");
  const client = await context.client();
  const result = await client.call("endpoints.delete", { params });
  await context.show(result, () => (result.deleted ? `removed ${name}\n` : `there was no ${name}\n`));
  return 0;
}
