import { z } from "zod";
import { LIMITED_ROLES } from "../core/tenancy/scoped-role.ts";
import type { Operation } from "./operation.ts";
import { byId, page } from "./operation-parts.ts";
import { pageOf, timeSchema } from "./views.ts";

/** Whoever is trusted here proposes without a secret of ours, so only people who administer say who. */
const guarded = { permission: "administer", humansOnly: true } as const;

const claim = z.string().min(1).max(512);
const principal = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "must be 1 to 63 of a-z, 0-9, ., _ and -");

/** Pipelines propose; nothing else is given to whom nobody handed a token. */
export const WORKLOAD_ROLES = ["proposer", ...LIMITED_ROLES.filter((role) => role.startsWith("proposer@"))] as const;
const roles = z.array(z.enum(WORKLOAD_ROLES)).min(1);
export const WORKLOAD_TOKEN_SECONDS_MAX = 3600;

/**
 * Claims of a job's identity token, in GitHub's shape; each that is named must be the same, character by character. The
 * repository's name alone would let every branch and every workflow in, so the workflow is named too, and the ref or the
 * environment.
 */
export const workloadClaimsSchema = z
  .strictObject({
    repository: claim,
    /** Stays when a repository is renamed, and is another when a name is taken anew. */
    repository_id: claim.optional(),
    job_workflow_ref: claim,
    ref: claim.optional(),
    environment: claim.optional(),
  })
  .refine(({ ref, environment }) => ref !== undefined || environment !== undefined, "must name ref or environment")
  .meta({ id: "WorkloadClaims" });

const workloadSchema = z
  .object({
    id: z.string(),
    issuer: z.string(),
    claims: workloadClaimsSchema,
    principal: z.string(),
    roles,
    tokenSeconds: z.number().int(),
    createdBy: z.string(),
    createdAt: timeSchema,
  })
  .meta({ id: "Workload" });

export const workloadOperations = {
  "workloads.create": {
    summary:
      "Trust the jobs of a pipeline: their identity tokens are exchanged for short ones of a service; people only",
    method: "POST",
    path: "/v1/workloads",
    ...guarded,
    body: z.strictObject({
      principal,
      claims: workloadClaimsSchema,
      roles: roles.optional(),
      tokenSeconds: z.number().int().min(60).max(WORKLOAD_TOKEN_SECONDS_MAX).optional(),
    }),
    output: workloadSchema,
    status: 201,
  },
  "workloads.list": {
    summary: "Pipelines whose jobs are trusted",
    method: "GET",
    path: "/v1/workloads",
    permission: "administer",
    query: z.object(page),
    output: pageOf(workloadSchema),
  },
  "workloads.delete": {
    summary: "Trust a pipeline's jobs no more; tokens that they have end now; people only",
    method: "DELETE",
    path: "/v1/workloads/{id}",
    ...guarded,
    params: byId,
    output: workloadSchema,
  },
} as const satisfies Record<string, Operation>;

/** Asked without a credential of ours: the token in the body is one of the issuer's. */
export const exchangeOperation = {
  summary: "Exchange a job's OIDC identity token for a short token that may propose",
  method: "POST",
  path: "/v1/tokens:exchange",
  body: z.strictObject({ token: z.string().min(1).max(16_384), tenant: z.string().min(1).max(63).optional() }),
  output: z.object({
    secret: z.string(),
    id: z.string(),
    tenant: z.string(),
    principal: z.string(),
    roles,
    expiresAt: timeSchema,
  }),
  status: 201,
} as const satisfies Omit<Operation, "permission">;
