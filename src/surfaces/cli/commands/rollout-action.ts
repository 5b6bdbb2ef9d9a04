import type { CommandContext } from "../command-context.ts";
import { settleRollout } from "../settle-rollout.ts";

type Verb = "pause" | "resume" | "promote" | "abort" | "rollback";

/** A signal to a rollout. With `--wait` the rollout is followed, and how it ends is the exit code. */
export function rolloutAction(verb: Verb): (context: CommandContext) => Promise<number> {
  return async (context) => {
    const client = await context.client();
    const comment = context.text("comment");
    const input = { params: { id: context.argument(0) }, body: comment === undefined ? {} : { comment } };
    const rollout = await client.call(`rollouts.${verb}`, input);
    return settleRollout(context, { client, rollout, after: Math.max(0, rollout.sequence - 1), exitAtOnce: () => 0 });
  };
}
