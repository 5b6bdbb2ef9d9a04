import { z } from "zod";
import { proofSchema, statementSchema } from "./approval-views.ts";
import type { Operation } from "./operation.ts";
import { page } from "./operation-parts.ts";
import { policyDiffSchema, policyVersionDetailSchema, policyVersionSchema } from "./policy-views.ts";
import { digestSchema, pageOf, timeSchema } from "./views.ts";

const byDigest = z.object({ digest: digestSchema });
const files = z
  .array(z.strictObject({ path: z.string().min(1).max(512), text: z.string().max(262_144) }))
  .min(1)
  .max(200);
/** Programs never have the permission; and none may have it by mistake. */
const governs = { permission: "govern", humansOnly: true } as const;
const comment = z.string().max(2000).optional();

/** The policy in force, and how it is changed: one person proposes a version, another one activates it. */
export const policyOperations = {
  "policy.list": {
    summary: "The policy set in force",
    method: "GET",
    path: "/v1/policy",
    permission: "read",
    output: z.object({
      digest: digestSchema,
      policies: z.array(
        z.object({
          id: z.string(),
          clause: z.string(),
          level: z.string(),
          gate: z.string(),
          reason: z.string(),
          source: z.string(),
        }),
      ),
    }),
  },
  "policy.versions": {
    summary: "Versions of the tenant's policy, newest first",
    method: "GET",
    path: "/v1/policy/versions",
    permission: "read",
    query: z.object(page),
    output: pageOf(policyVersionSchema),
  },
  "policy.show": {
    summary: "One version: its files, and each time that it came into force",
    method: "GET",
    path: "/v1/policy/versions/{digest}",
    permission: "read",
    params: byDigest,
    output: policyVersionDetailSchema,
  },
  "policy.diff": {
    summary: "What a version would change against the one in force",
    method: "GET",
    path: "/v1/policy/versions/{digest}/diff",
    permission: "read",
    params: byDigest,
    output: policyDiffSchema,
  },
  "policy.propose": {
    summary: "Propose a version of the policy; it counts for nothing until another person activates it; people only",
    method: "POST",
    path: "/v1/policy/versions",
    ...governs,
    body: z.union(
      [
        z.strictObject({ files, comment }),
        z.strictObject({ program: z.literal(true), comment }),
        z.strictObject({ digest: digestSchema, comment }),
      ],
      "must hold one of files, program (the set that the program came with) and digest (a version that is there)",
    ),
    output: z.object({ version: policyVersionSchema, diff: policyDiffSchema }),
    status: 201,
  },
  "policy.withdraw": {
    summary: "Withdraw the proposal of a version; people only",
    method: "POST",
    path: "/v1/policy/versions/{digest}/withdraw",
    ...governs,
    params: byDigest,
    output: policyVersionSchema,
  },
  "policy.statement": {
    summary: "The exact bytes that an activation by this person signs; good for one use; people only",
    method: "POST",
    path: "/v1/policy/versions/{digest}/statement",
    ...governs,
    params: byDigest,
    output: statementSchema,
    status: 201,
  },
  "policy.activate": {
    summary: "Put a proposed version into force with a signed statement and MFA; people only, and never one's own",
    method: "POST",
    path: "/v1/policy/versions/{digest}/activate",
    ...governs,
    params: byDigest,
    body: z.strictObject(proofSchema.shape),
    output: policyVersionSchema,
  },
  "policy.bundle": {
    summary: "The policy in force as a signed bundle that `plan check` decides by offline",
    method: "GET",
    path: "/v1/policy/bundle",
    permission: "read",
    output: z.object({
      tenant: z.string(),
      sequence: z.number().int(),
      policyDigest: digestSchema,
      expiresAt: timeSchema,
      keyId: digestSchema,
      /** PEM; to be pinned at the first pull. */
      publicKey: z.string(),
      /** The bundle itself, a Sigstore bundle as JSON text. */
      bundle: z.string(),
    }),
  },
  "prices.show": {
    summary: "Prices that decisions use",
    method: "GET",
    path: "/v1/prices",
    permission: "read",
    output: z.object({
      asOf: z.string(),
      source: z.string(),
      confidence: z.string(),
      region: z.string(),
      usdPerHour: z.record(z.string(), z.number()),
    }),
  },
} as const satisfies Record<string, Operation>;
