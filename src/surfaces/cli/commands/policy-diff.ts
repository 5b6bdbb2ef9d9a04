import type { PolicyFile } from "../../../core/policy/policy.ts";
import { diffPolicySets } from "../../../core/policy/policy-diff.ts";
import { diffPolicyData } from "../../../core/policy/policy-diff-plans.ts";
import type { CommandContext } from "../command-context.ts";
import { loadOfflinePolicy, type OfflinePolicy, ownFiles, shippedFiles } from "../offline-policy.ts";
import { policyDiffText } from "../policy-diff-text.ts";

const SHIPPED = "shipped";

/** What one set decides differently from another, each kind of difference with one example. */
export async function policyDiff(context: CommandContext): Promise<number> {
  const shipped = shippedFiles();
  const before = setOf(context, shipped, context.argument(0));
  const after = setOf(context, shipped, context.args[1] ?? SHIPPED);
  const diff = { ...diffPolicySets(before.set, after.set), data: diffPolicyData(before, after) };
  await context.show(diff, () => policyDiffText(diff));
  return 0;
}

function setOf(context: CommandContext, shipped: readonly PolicyFile[], folder: string): OfflinePolicy {
  if (folder === SHIPPED) return loadOfflinePolicy({ shipped });
  return loadOfflinePolicy({ shipped, own: { folder, files: ownFiles(context, folder, "the folder") } });
}
