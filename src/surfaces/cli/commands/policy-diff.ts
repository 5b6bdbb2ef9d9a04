import type { PolicyFile, PolicySet } from "../../../core/policy/policy.ts";
import { diffPolicySets, type PolicyDiff } from "../../../core/policy/policy-diff.ts";
import type { CommandContext } from "../command-context.ts";
import { loadOfflinePolicy, ownFiles, shippedFiles } from "../offline-policy.ts";
import { type Column, textTable } from "../text-table.ts";

const SHIPPED = "shipped";

const CHANGES: readonly Column<PolicyDiff["changes"][number]>[] = [
  { heading: "CHANGE", value: ({ change }) => change },
  { heading: "POLICY", value: ({ id }) => id },
  { heading: "CLAUSE", value: ({ clause }) => clause },
];

const WITNESSES: readonly Column<PolicyDiff["witnesses"][number]>[] = [
  { heading: "BEFORE", value: ({ before }) => before },
  { heading: "AFTER", value: ({ after }) => after },
  { heading: "NOW SPEAK", value: ({ gained }) => gained.join(", ") || null },
  { heading: "NO LONGER", value: ({ lost }) => lost.join(", ") || null },
  { heading: "WHEN", value: ({ when }) => when },
];

/** What one set decides differently from another, each kind of difference with one example. */
export async function policyDiff(context: CommandContext): Promise<number> {
  const shipped = shippedFiles();
  const before = setOf(context, shipped, context.argument(0));
  const after = setOf(context, shipped, context.args[1] ?? SHIPPED);
  const diff = diffPolicySets(before, after);
  await context.show(diff, () => diffText(diff));
  return 0;
}

function setOf(context: CommandContext, shipped: readonly PolicyFile[], folder: string): PolicySet {
  if (folder === SHIPPED) return loadOfflinePolicy({ shipped }).set;
  return loadOfflinePolicy({ shipped, own: { folder, files: ownFiles(context, folder, "the folder") } }).set;
}

function diffText(diff: PolicyDiff): string {
  const coverage = `${diff.asked} of ${diff.possible} boundary cases were put to both sets\n`;
  return [
    textTable(diff.changes, CHANGES, "the sets hold the same policies"),
    textTable(diff.witnesses, WITNESSES, "no decision changes"),
    coverage,
  ].join("\n");
}
