import { diffPlans } from "../../../core/plan/diff.ts";
import type { CommandContext } from "../command-context.ts";
import { preparePlan } from "../prepare-plan.ts";
import { type Column, textTable } from "../text-table.ts";

interface Change {
  path: string;
  before: unknown;
  after: unknown;
}

const COLUMNS: readonly Column<Change>[] = [
  { heading: "PATH", value: ({ path }) => path },
  { heading: "BEFORE", value: ({ before }) => before },
  { heading: "AFTER", value: ({ after }) => after },
];

/** What a plan changes: against another file without a server, else against the version that serves. */
export async function planDiff(context: CommandContext): Promise<number> {
  const against = context.text("against");
  const prepared = await preparePlan(context);
  if (against !== undefined) {
    const before = await preparePlan(context, { file: against });
    const changes = diffPlans(before.plan, prepared.plan);
    const digests = { before: before.planDigest, after: prepared.planDigest };
    await context.show({ ...digests, changes }, () => textTable(changes, COLUMNS, "the plans are alike"));
    return 0;
  }
  const client = await context.client();
  const diff = await client.call("plans.diff", { body: prepared.input });
  await context.show(diff, () => {
    const versus = diff.liveRollout === null ? "nothing serves yet" : `against rollout ${diff.liveRollout}`;
    return `${diff.endpoint}${diff.simulation ? " (simulation)" : ""}: ${versus}\n${textTable<Change>(diff.changes, COLUMNS, "nothing would change")}`;
  });
  return 0;
}
