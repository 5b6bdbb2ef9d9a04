import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { assert } from "../core/error.ts";
import { appendAudit, textDigest } from "../engine/audit-log.ts";
import { type BreakGlassRow, listBrokenGlass, lockBrokenGlass, recordReview } from "../store/queries/approvals.ts";
import { readPrincipal } from "../store/queries/principals.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import { find } from "./rollouts.ts";

const afterShape = z.tuple([z.number(), z.string()]);

/** Whoever breaks the glass acts alone; somebody else looks at it afterwards. */
export function approvalReviewHandlers(parts: ServiceParts): Handlers<"approvals.reviews" | "approvals.review"> {
  return {
    "approvals.reviews": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT, all } = input.query;
      const after = decodeCursor("approvals.reviews", cursor, afterShape);
      const rows = await listBrokenGlass(parts.database, {
        ...{ tenant: principal.tenant, open: all !== "true", limit: limit + 1 },
        ...(after === undefined ? {} : { after: { atMs: after[0], nonce: after[1] } }),
      });
      const keyOf = (row: BreakGlassRow) => [row.consumedAt.getTime(), row.nonce];
      return toPage(rows, { list: "approvals.reviews", limit, keyOf, view });
    },

    "approvals.review": (call) => review(parts, call),
  };
}

async function review(
  parts: ServiceParts,
  { principal, actor, input }: Call<"approvals.review">,
): Promise<OperationOutput<"approvals.review">> {
  const { tenant, id } = principal;
  const { state: rollout } = await find(parts, tenant, input.params.id);
  const { verdict, comment } = input.body;
  const atMs = parts.nowMs();
  return parts.database.transaction(async (tx) => {
    const broken = await lockBrokenGlass(tx, tenant, rollout.id);
    const [first] = broken;
    if (first === undefined) return notFound("break-glass approval");
    const glass = broken.find(({ reviewedAt }) => reviewedAt === null);
    if (glass === undefined) return refuse("not-acceptable-now", `It was reviewed by ${first.reviewedBy} already.`);
    if (glass.by === id) refuse("own-plan", "You broke the glass; another person reviews it.");
    const proposer = await readPrincipal(tx, tenant, rollout.proposer);
    if (rollout.proposer === id || proposer?.owner === id) {
      refuse("own-plan", "The plan was yours; another person reviews how it was approved.");
    }
    await recordReview(tx, { tenant, nonce: glass.nonce, by: id, atMs, verdict, comment });
    await appendAudit(tx, {
      ...{ tenant, atMs, actor, action: "approval.review", subject: `rollout:${rollout.id}`, outcome: "accepted" },
      details: { principal: glass.by, verdict, planDigest: rollout.planDigest, ...textDigest(comment) },
    });
    return view({ ...glass, reviewedBy: id, reviewedAt: new Date(atMs), verdict, comment });
  });
}

function view(row: BreakGlassRow): OperationOutput<"approvals.reviews">["items"][number] {
  const { rollout, environment, target, name, planDigest, by, reason, consumedAt, keyId } = row;
  const { reviewedBy, reviewedAt, verdict, comment } = row;
  const reviewed = reviewedBy !== null && reviewedAt !== null;
  assert(!reviewed || (verdict !== null && comment !== null), "a review says what it found");
  return {
    ...{
      rollout,
      endpoint: { environment, target, name },
      planDigest,
      by,
      reason,
      at: consumedAt.toISOString(),
      keyId,
    },
    review:
      reviewed && verdict !== null && comment !== null
        ? { by: reviewedBy, at: reviewedAt.toISOString(), verdict, comment }
        : null,
  };
}
