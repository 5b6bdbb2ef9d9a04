import type { OperationOutput } from "../../../contract/operations.ts";
import type { CommandContext } from "../command-context.ts";
import { listPages } from "../list-pages.ts";
import type { Column } from "../text-table.ts";

type Glass = OperationOutput<"approvals.review">;

export async function approvalReviews(context: CommandContext): Promise<number> {
  const client = await context.client();
  const all = context.flag("reviewed") ? { all: "true" as const } : {};
  const page = await listPages(context, (part) => client.call("approvals.reviews", { query: { ...part, ...all } }));
  const columns: Column<Glass>[] = [
    { heading: "ROLLOUT", value: ({ rollout }) => rollout },
    { heading: "ENDPOINT", value: ({ endpoint }) => `${endpoint.environment}-${endpoint.name}` },
    { heading: "BY", value: ({ by }) => by },
    { heading: "AT", value: ({ at }) => at },
    { heading: "REVIEW", value: ({ review }) => (review === null ? "open" : `${review.verdict}, by ${review.by}`) },
    { heading: "REASON", value: ({ reason }) => reason },
  ];
  await context.showPage(page, columns, "no broken glass waits for a review");
  return 0;
}

export async function approvalReview(context: CommandContext): Promise<number> {
  const client = await context.client();
  const verdict = context.text("verdict") as "justified" | "not-justified";
  const reviewed = await client.call("approvals.review", {
    params: { id: context.argument(0) },
    body: { verdict, comment: context.text("comment") ?? "" },
  });
  await context.show(reviewed, () => `reviewed ${reviewed.rollout}: ${verdict}\n`);
  return 0;
}
