import type { ApiClient } from "./client.ts";
import type { CommandContext } from "./command-context.ts";
import { decisionText } from "./decision-text.ts";
import { exitOfPhase, isTerminalPhase } from "./exit-codes.ts";
import { followRollout, type RolloutDetail } from "./follow-rollout.ts";
import { rolloutText } from "./rollout-text.ts";
import { showProgress } from "./show-progress.ts";

/**
 * Ends a command that started or changed a rollout: with `--wait` it is followed to its end, whose exit code is the
 * documented one; otherwise it is shown as it stands and `exitAtOnce` says the code.
 */
export async function settleRollout(
  context: CommandContext,
  options: {
    client: ApiClient;
    rollout: RolloutDetail;
    /** Events up to this sequence are an old story to who waits. */
    after?: number;
    exitAtOnce(rollout: RolloutDetail): number;
  },
): Promise<number> {
  const { client, rollout } = options;
  if (!context.wait || isTerminalPhase(rollout.phase)) {
    await context.show(rollout, () => settledText(rollout, context));
    return context.wait ? exitOfPhase(rollout.phase) : options.exitAtOnce(rollout);
  }
  context.note(`following rollout ${rollout.id}; it goes on when this command ends`);
  const progress = showProgress(context, { toStdout: false });
  try {
    const ended = await followRollout({ client, id: rollout.id, after: options.after ?? 0, onEvent: progress.event });
    progress.end();
    if (context.format !== "ndjson") await context.show(ended, () => rolloutText(ended, context.paint));
    return exitOfPhase(ended.phase);
  } finally {
    progress.end();
  }
}

/** A denial is told with what would have to change. */
function settledText(rollout: RolloutDetail, { paint }: CommandContext): string {
  const text = rolloutText(rollout, paint);
  return rollout.phase === "Denied" ? `${text}\n${decisionText(rollout.decision, paint)}` : text;
}
