import { z } from "zod";
import {
  approvalRequestSchema,
  approverKeySchema,
  breakGlassSchema,
  mfaSchema,
  ownKeyFields,
  proofSchema,
  statementSchema,
  stepUpSchema,
  totpEnrolmentSchema,
} from "./approval-views.ts";
import type { Operation } from "./operation.ts";
import { byId, comment, page } from "./operation-parts.ts";
import { digestSchema, pageOf, rolloutDetailSchema } from "./views.ts";

const approves = { permission: "approve", humansOnly: true } as const;
const code = z.string().regex(/^[0-9]{6}$/, "must be the six digits of a one-time code");
/** What a person says of nobody but themselves. */
const own = { permission: "read", humansOnly: true } as const;

/** People's decisions, and what people prove with that a decision is theirs. */
export const approvalOperations = {
  "approvals.list": {
    summary: "Rollouts that wait for a person",
    method: "GET",
    path: "/v1/approvals",
    permission: "read",
    query: z.object(page),
    output: pageOf(approvalRequestSchema),
  },
  "approvals.show": {
    summary: "What one waiting rollout needs",
    method: "GET",
    path: "/v1/approvals/{id}",
    permission: "read",
    params: byId,
    output: approvalRequestSchema,
  },
  "approvals.statement": {
    summary: "The exact bytes that an approval by this person signs; good for one use; people only",
    method: "POST",
    path: "/v1/approvals/{id}/statement",
    ...approves,
    params: byId,
    body: z.strictObject({
      role: z.enum(["approver", "budget-owner", "break-glass"]).optional(),
      /** With the role break-glass: why nobody could wait. */
      reason: z.string().min(10, "must say in a sentence why nobody can wait").max(1000).optional(),
    }),
    output: statementSchema,
    status: 201,
  },
  "approvals.approve": {
    summary: "Approve exactly this plan digest; people only, and never one's own plan",
    method: "POST",
    path: "/v1/approvals/{id}/approve",
    ...approves,
    params: byId,
    body: z.strictObject({
      planDigest: digestSchema,
      role: z.enum(["approver", "budget-owner", "break-glass"]).optional(),
      comment: z.string().max(2000).optional(),
      ...proofSchema.shape,
    }),
    output: rolloutDetailSchema,
  },
  "approvals.reject": {
    summary: "Reject a waiting rollout",
    method: "POST",
    path: "/v1/approvals/{id}/reject",
    ...approves,
    params: byId,
    body: comment,
    output: rolloutDetailSchema,
  },
  "approvals.reviews": {
    summary: "Break-glass approvals, newest first; those that nobody has reviewed yet unless told otherwise",
    method: "GET",
    path: "/v1/approval-reviews",
    permission: "read",
    query: z.object({ ...page, all: z.enum(["true", "false"]).optional() }),
    output: pageOf(breakGlassSchema),
  },
  "approvals.review": {
    summary: "Review a break-glass approval after the fact; people only, and never one's own",
    method: "POST",
    path: "/v1/approvals/{id}/review",
    ...approves,
    params: byId,
    body: z.strictObject({
      verdict: z.enum(["justified", "not-justified"]),
      comment: z.string().min(1, "must say what was looked at").max(2000),
    }),
    output: breakGlassSchema,
  },
  "me.mfa": {
    summary: "The second factors of the person who asks; people only",
    method: "GET",
    path: "/v1/me/mfa",
    ...own,
    output: mfaSchema,
  },
  "me.totp.enroll": {
    summary: "Begin to use one-time codes; the secret is shown once and counts when it is confirmed; people only",
    method: "POST",
    path: "/v1/me/totp",
    ...own,
    output: totpEnrolmentSchema,
    status: 201,
  },
  "me.totp.confirm": {
    summary: "Confirm one-time codes by a first one; people only",
    method: "POST",
    path: "/v1/me/totp/confirm",
    ...own,
    body: z.strictObject({ code, stepUp: stepUpSchema.optional() }),
    output: mfaSchema,
  },
  "me.totp.remove": {
    summary: "Stop using one-time codes, by a last one; people only",
    method: "POST",
    path: "/v1/me/totp/remove",
    ...own,
    body: z.strictObject({ code }),
    output: mfaSchema,
  },
  "me.keys.statement": {
    summary: "The exact bytes that enrol a key of one's own when that key signs them; people only",
    method: "POST",
    path: "/v1/me/keys/statement",
    ...own,
    body: z.strictObject(ownKeyFields),
    output: statementSchema,
    status: 201,
  },
  "me.keys.enroll": {
    summary: "Register a key of one's own for approvals, proved by its signature; people only",
    method: "POST",
    path: "/v1/me/keys",
    ...own,
    body: z.strictObject({ ...ownKeyFields, ...proofSchema.shape }),
    output: approverKeySchema,
    status: 201,
  },
  "me.keys.list": {
    summary: "The keys that the person who asks approves with; people only",
    method: "GET",
    path: "/v1/me/keys",
    ...own,
    query: z.object(page),
    output: pageOf(approverKeySchema),
  },
  "me.keys.revoke": {
    summary: "Stop approving with a key; what it signed counts at no gate any more; people only",
    method: "DELETE",
    path: "/v1/me/keys/{keyId}",
    ...own,
    params: z.object({ keyId: z.string().max(128) }),
    output: approverKeySchema,
  },
} as const satisfies Record<string, Operation>;
