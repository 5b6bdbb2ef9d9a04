import { briefingText, needWords, type Request, readBriefing } from "../approval-text.ts";
import type { CommandContext } from "../command-context.ts";
import { listPages } from "../list-pages.ts";
import type { Column } from "../text-table.ts";

export async function approvalList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("approvals.list", { query: part }));
  const columns: Column<Request>[] = [
    { heading: "ROLLOUT", value: ({ rollout }) => rollout.id },
    { heading: "ENDPOINT", value: ({ rollout }) => `${rollout.endpoint.environment}-${rollout.endpoint.name}` },
    { heading: "MODEL", value: ({ rollout }) => `${rollout.model.name} ${rollout.model.version}` },
    { heading: "PROPOSER", value: ({ rollout }) => rollout.proposer },
    { heading: "NEEDS", value: ({ needs }) => needs.map(needWords).join("; ") },
    { heading: "EXPIRES", value: ({ expiresAt }) => expiresAt },
  ];
  await context.showPage(page, columns, "nothing waits for a person");
  return 0;
}

export async function approvalShow(context: CommandContext): Promise<number> {
  const client = await context.client();
  const id = context.argument(0);
  if (context.format !== "table") {
    const request = await client.call("approvals.show", { params: { id } });
    await context.show(request, () => "");
    return 0;
  }
  const briefing = await readBriefing(client, id);
  const { rollout, needs } = briefing.request;
  const key = needs.some(({ signed, given, count }) => signed && given < count) ? " --key YOURS.key" : "";
  const command = `continuum approval approve ${rollout.id}${key}`;
  await context.show(briefing.request, () => `${briefingText(briefing, context.paint)}\nto approve it: ${command}\n`);
  return 0;
}

export async function approvalReject(context: CommandContext): Promise<number> {
  const client = await context.client();
  const comment = context.text("comment");
  const rollout = await client.call("approvals.reject", {
    params: { id: context.argument(0) },
    body: comment === undefined ? {} : { comment },
  });
  await context.show(rollout, () => `rejected ${rollout.id}\n`);
  return 0; // the rejection is what was asked for
}
