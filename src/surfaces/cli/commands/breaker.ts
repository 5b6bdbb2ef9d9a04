import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { endpointParams } from "../endpoint-params.ts";
import { textRecord } from "../text-table.ts";

export async function breakerShow(context: CommandContext): Promise<number> {
  const client = await context.client();
  const breaker = await client.call("breakers.show", { params: endpointParams(context) });
  await context.show(breaker, () => breakerText(breaker));
  return 0;
}

export async function breakerReset(context: CommandContext): Promise<number> {
  const client = await context.client();
  const comment = context.text("comment");
  const breaker = await client.call("breakers.reset", {
    params: endpointParams(context),
    body: comment === undefined ? {} : { comment },
  });
  await context.show(breaker, () => breakerText(breaker));
  return 0;
}

function breakerText(breaker: OperationOutput<"breakers.show">): string {
  return textRecord({
    endpoint: `${breaker.endpoint.environment}-${breaker.endpoint.name} on ${breaker.endpoint.target}${breaker.simulation ? " (simulation)" : ""}`,
    state: breaker.state,
    failures: `${breaker.failures} within ${breaker.windowSeconds} s; opens at ${breaker.limit}`,
    "cool-down": `${breaker.coolDownSeconds} s`,
    "open until": breaker.opensUntil ?? undefined,
  });
}
