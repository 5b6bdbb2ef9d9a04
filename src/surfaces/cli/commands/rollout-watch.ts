import type { CommandContext } from "../command-context.ts";
import { exitOfPhase } from "../exit-codes.ts";
import { followRollout } from "../follow-rollout.ts";
import { rolloutText } from "../rollout-text.ts";
import { showProgress } from "../show-progress.ts";

export async function rolloutWatch(context: CommandContext): Promise<number> {
  const client = await context.client();
  const progress = showProgress(context, { toStdout: true });
  const after = context.integer("after", { min: 0, max: 1_000_000_000 }) ?? 0;
  try {
    const rollout = await followRollout({ client, id: context.argument(0), after, onEvent: progress.event });
    progress.end();
    if (context.format !== "ndjson") await context.show(rollout, () => `\n${rolloutText(rollout, context.paint)}`);
    return exitOfPhase(rollout.phase);
  } finally {
    progress.end();
  }
}
