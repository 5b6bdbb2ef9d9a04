import type { CommandContext } from "../command-context.ts";
import { loadOfflinePolicy, ownFiles, shippedFiles } from "../offline-policy.ts";
import { type Column, textTable } from "../text-table.ts";

interface PolicyRow {
  id: string;
  clause: string;
  level: string;
  gate: string;
  reason: string;
  source: string;
}

const COLUMNS: readonly Column<PolicyRow>[] = [
  { heading: "ID", value: ({ id }) => id },
  { heading: "CLAUSE", value: ({ clause }) => clause },
  { heading: "LEVEL", value: ({ level }) => level },
  { heading: "GATE", value: ({ gate }) => gate },
  { heading: "REASON", value: ({ reason }) => reason },
];

export async function policyList(context: CommandContext): Promise<number> {
  const list = context.flag("server")
    ? await (await context.client()).call("policy.list", {})
    : await listHere(context);
  await context.show(list, () => `policy set ${list.digest}\n\n${textTable(list.policies, COLUMNS, "no policies")}`);
  return 0;
}

async function listHere(context: CommandContext): Promise<{ digest: string; policies: PolicyRow[] }> {
  const { listPolicies } = await import("../../../core/policy/list.ts");
  const folder = context.args[0];
  const shipped = shippedFiles();
  const { set } = loadOfflinePolicy(
    folder === undefined ? { shipped } : { shipped, own: { folder, files: ownFiles(context, folder, "the folder") } },
  );
  return { digest: set.digest, policies: listPolicies(set) };
}
