import type { OperationOutput } from "../../contract/operations.ts";
import { CliError } from "./cli-error.ts";
import type { ApiClient, RolloutEventView } from "./client.ts";
import { isTerminalPhase } from "./exit-codes.ts";

export type RolloutDetail = OperationOutput<"rollouts.get">;

/** How long a lost connection is sought again before the command gives up. */
const LOST_MS_MAX = 60_000;
const RECONNECT_MS = 500;

/**
 * Follows a rollout's events to its end, over lost connections, and gives it as it then stands. The client's deadline
 * ends it with exit code 5; the rollout itself goes on.
 */
export async function followRollout(options: {
  client: ApiClient;
  id: string;
  /** Events up to this sequence were shown already. */
  after?: number;
  onEvent(event: RolloutEventView): Promise<void> | void;
}): Promise<RolloutDetail> {
  const { client, id } = options;
  let after = options.after ?? 0;
  let lostSinceMs: number | undefined;
  for (;;) {
    try {
      for await (const event of client.events(id, { after })) {
        lostSinceMs = undefined;
        if (event.sequence <= after) continue; // a server that replays more than was asked for
        after = event.sequence;
        await options.onEvent(event);
      }
      const rollout = await client.call("rollouts.get", { params: { id } });
      lostSinceMs = undefined;
      if (isTerminalPhase(rollout.phase) && rollout.sequence <= after) return rollout;
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== "unreachable") throw error;
      lostSinceMs ??= performance.now();
      if (performance.now() - lostSinceMs > LOST_MS_MAX) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}
