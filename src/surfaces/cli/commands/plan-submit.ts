import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { exitOfPhase } from "../exit-codes.ts";
import { importFile } from "../import-file.ts";
import { preparePlan } from "../prepare-plan.ts";
import { settleRollout } from "../settle-rollout.ts";

/**
 * Imports what the plan names by file, submits it, and with `--wait` follows the rollout to its end. Without, a plan
 * that was denied is exit code 2, one that waits for a person 3.
 */
export async function planSubmit(context: CommandContext): Promise<number> {
  if (context.flag("live") && context.flag("dryRun"))
    throw malformed("both a dry run and a live one", "--live with --dry-run", "must be one of them");
  const dryRun = context.flag("live") ? false : context.flag("dryRun") ? true : undefined;
  const prepared = await preparePlan(context, dryRun === undefined ? {} : { dryRun });
  const client = await context.client();
  for (const { path, reference, digest } of prepared.files) {
    const artifact = await importFile(client, { path, file: reference, where: "the plan's", digest });
    context.note(`imported ${reference} as store:${artifact.digest}`);
  }
  const rollout = await client.call("plans.submit", {
    body: { plan: prepared.input, ...(context.flag("supersede") ? { supersede: true } : {}) },
  });
  return settleRollout(context, { client, rollout, exitAtOnce: ({ phase }) => exitOfPhase(phase) });
}
