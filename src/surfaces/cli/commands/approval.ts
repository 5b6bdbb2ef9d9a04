import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { listPages } from "../list-pages.ts";
import { settleRollout } from "../settle-rollout.ts";
import { type Column, textRecord, textTable } from "../text-table.ts";

type Request = OperationOutput<"approvals.show">;
type Need = Request["needs"][number];

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
  const request = await client.call("approvals.show", { params: { id: context.argument(0) } });
  await context.show(request, () => requestText(request));
  return 0;
}

export async function approvalApprove(context: CommandContext): Promise<number> {
  const client = await context.client();
  const role = context.text("role") as "approver" | "budget-owner" | undefined;
  const comment = context.text("comment");
  const rollout = await client.call("approvals.approve", {
    params: { id: context.argument(0) },
    body: {
      planDigest: context.text("planDigest") ?? "",
      ...(role === undefined ? {} : { role }),
      ...(comment === undefined ? {} : { comment }),
    },
  });
  return settleRollout(context, { client, rollout, after: Math.max(0, rollout.sequence - 1), exitAtOnce: () => 0 });
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

function requestText({ rollout, needs, expiresAt }: Request): string {
  const record = textRecord({
    rollout: rollout.id,
    endpoint: `${rollout.endpoint.environment}-${rollout.endpoint.name} on ${rollout.endpoint.target}`,
    model: `${rollout.model.name} ${rollout.model.version}`,
    proposer: rollout.proposer,
    "plan digest": rollout.planDigest,
    expires: expiresAt,
  });
  const columns: Column<Need>[] = [
    { heading: "ROLE", value: ({ role }) => role },
    { heading: "GIVEN", value: ({ given, count }) => `${given} of ${count}` },
    { heading: "MFA", value: ({ mfa }) => (mfa ? "yes" : "no") },
    { heading: "SIGNED", value: ({ signed }) => (signed ? "yes" : "no") },
    { heading: "CLAUSES", value: ({ clauses }) => clauses.join(", ") },
  ];
  const command = `continuum approval approve ${rollout.id} --plan-digest ${rollout.planDigest}`;
  return `${record}\n${textTable(needs, columns, "nothing is missing")}\nread the plan (continuum rollout get ${rollout.id} -o json), then: ${command}\n`;
}

function needWords({ role, given, count, mfa }: Need): string {
  return `${given} of ${count} ${role}${mfa ? " with MFA" : ""}`;
}
