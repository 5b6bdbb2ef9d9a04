import { z } from "zod";
import { PHASES } from "../core/rollout/rollout.ts";
import { approvalOperations } from "./approval-operations.ts";
import { auditOperations } from "./audit-operations.ts";
import { groundTruthOperations } from "./ground-truth-operations.ts";
import { monitorOperations } from "./monitor-operations.ts";
import { GRANTABLE_ROLES, type Operation, PRINCIPAL_KINDS } from "./operation.ts";
import { action, byEndpoint, byId, comment, page } from "./operation-parts.ts";
import { peopleOperations } from "./people-operations.ts";
import { policyOperations } from "./policy-operations.ts";
import { trustOperations } from "./trust-operations.ts";
import {
  artifactSchema,
  breakerSchema,
  decisionSchema,
  digestSchema,
  endpointViewSchema,
  environmentSchema,
  pageOf,
  planBodySchema,
  rolloutDetailSchema,
  rolloutEventSchema,
  rolloutSchema,
  tokenSchema,
} from "./views.ts";
import { webhookOperations } from "./webhook-operations.ts";
import { workloadOperations } from "./workload-operations.ts";

/** Every operation, by name. `service/` implements exactly these, and every surface offers only these. */
export const operations = {
  "plans.check": {
    summary: "Decide a plan as for a live rollout; nothing is stored",
    method: "POST",
    path: "/v1/plans:check",
    permission: "propose",
    body: planBodySchema,
    output: decisionSchema,
  },
  "plans.submit": {
    summary: "Propose a plan: decide it, store it, and start its rollout when nothing forbids it",
    method: "POST",
    path: "/v1/rollouts",
    permission: "propose",
    body: z.strictObject({ plan: planBodySchema, supersede: z.boolean().optional() }),
    output: rolloutDetailSchema,
    status: 201,
  },
  "plans.diff": {
    summary: "What a plan would change against the version that serves",
    method: "POST",
    path: "/v1/plans:diff",
    permission: "read",
    body: planBodySchema,
    output: z.object({
      endpoint: z.string(),
      simulation: z.boolean().default(false),
      liveRollout: z.string().nullable(),
      changes: z.array(z.object({ path: z.string(), before: z.unknown(), after: z.unknown() })),
    }),
  },
  "rollouts.list": {
    summary: "Rollouts, newest first",
    method: "GET",
    path: "/v1/rollouts",
    permission: "read",
    query: z.object({
      ...page,
      environment: environmentSchema.optional(),
      name: z.string().max(40).optional(),
      phase: z.enum(PHASES, `must be one of ${PHASES.join(", ")}`).optional(),
      active: z.enum(["true", "false"]).optional(),
    }),
    output: pageOf(rolloutSchema),
  },
  "rollouts.get": {
    summary: "One rollout with its plan, decision, newest verdict and watch period",
    method: "GET",
    path: "/v1/rollouts/{id}",
    permission: "read",
    params: byId,
    output: rolloutDetailSchema,
  },
  "rollouts.events": {
    summary: "What happened to a rollout, as server-sent events; resumes after Last-Event-ID; ends with the rollout",
    method: "GET",
    path: "/v1/rollouts/{id}/events",
    permission: "read",
    params: byId,
    query: z.object({ after: z.coerce.number().int().min(0).optional() }),
    output: rolloutEventSchema,
    produces: "sse",
  },
  "rollouts.pause": action("Hold a rollout where it is; the judge goes on watching", "pause"),
  "rollouts.resume": action("Let a paused rollout go on", "resume"),
  "rollouts.promote": { ...action("End the present bake by a person's word and go on", "promote"), humansOnly: true },
  "rollouts.abort": action("Stop a rollout; what it changed is rolled back", "abort"),
  "rollouts.rollback": action("Roll a running rollout back, or restore what ran before one that succeeded", "rollback"),
  "endpoints.list": {
    summary: "Endpoints of the tenant",
    method: "GET",
    path: "/v1/endpoints",
    permission: "read",
    query: z.object({ ...page, environment: environmentSchema.optional() }),
    output: pageOf(endpointViewSchema),
  },
  "endpoints.get": {
    summary: "One endpoint and what its target reports",
    method: "GET",
    path: "/v1/endpoints/{environment}/{target}/{name}",
    permission: "read",
    params: byEndpoint,
    output: endpointViewSchema,
  },
  "endpoints.address": {
    summary: "Where an endpoint is invoked; all that a credential which may only invoke is told",
    method: "GET",
    path: "/v1/endpoints/{environment}/{target}/{name}/address",
    permission: "invoke",
    params: byEndpoint,
    output: z.object({ invokeUrl: z.string().nullable() }),
  },
  "endpoints.scale": {
    summary: "Change the number of instances of the version that serves, within the policy",
    method: "POST",
    path: "/v1/endpoints/{environment}/{target}/{name}/scale",
    permission: "operate",
    params: byEndpoint,
    body: z.strictObject({ instanceCount: z.number().int().min(1).max(10_000) }),
    output: endpointViewSchema,
  },
  "endpoints.delete": {
    summary: "Remove an endpoint and what it holds; people only",
    method: "DELETE",
    path: "/v1/endpoints/{environment}/{target}/{name}",
    permission: "operate",
    humansOnly: true,
    params: byEndpoint,
    output: z.object({ deleted: z.boolean() }),
  },
  "artifacts.list": {
    summary: "Artifacts in the encrypted store",
    method: "GET",
    path: "/v1/artifacts",
    permission: "read",
    query: z.object(page),
    output: pageOf(artifactSchema),
  },
  "artifacts.put": {
    summary: "Import an artifact under the SHA-256 of its bytes",
    method: "PUT",
    path: "/v1/artifacts/{digest}",
    permission: "propose",
    params: z.object({ digest: digestSchema }),
    body: "bytes",
    output: artifactSchema,
    status: 201,
  },
  "tokens.create": {
    summary: "Make a token for a principal; its secret is shown once; people only",
    method: "POST",
    path: "/v1/tokens",
    permission: "administer",
    humansOnly: true,
    body: z.strictObject({
      principal: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "must be 1 to 63 of a-z, 0-9, ., _ and -"),
      kind: z.enum(PRINCIPAL_KINDS),
      owner: z.string().max(63).optional(),
      roles: z.array(z.enum(GRANTABLE_ROLES)).min(1),
      expiresInSeconds: z.number().int().min(60).max(31_536_000).optional(),
    }),
    output: tokenSchema.extend({ secret: z.string() }).meta({ id: "NewToken" }),
    status: 201,
  },
  "tokens.list": {
    summary: "Tokens, without their secrets",
    method: "GET",
    path: "/v1/tokens",
    permission: "administer",
    query: z.object(page),
    output: pageOf(tokenSchema),
  },
  "tokens.revoke": {
    summary: "End a token now; people only",
    method: "DELETE",
    path: "/v1/tokens/{id}",
    permission: "administer",
    humansOnly: true,
    params: byId,
    output: tokenSchema,
  },
  "principal.show": {
    summary: "Who the credential says you are",
    method: "GET",
    path: "/v1/principal",
    permission: "read",
    output: z.object({
      id: z.string(),
      kind: z.enum(PRINCIPAL_KINDS),
      tenant: z.string(),
      roles: z.array(z.enum(GRANTABLE_ROLES)),
      expiresAt: z.iso.datetime(),
    }),
  },
  "breakers.show": {
    summary: "An endpoint's circuit breaker",
    method: "GET",
    path: "/v1/breakers/{environment}/{target}/{name}",
    permission: "read",
    params: byEndpoint,
    output: breakerSchema,
  },
  "breakers.reset": {
    summary: "Close an endpoint's circuit breaker; people only",
    method: "POST",
    path: "/v1/breakers/{environment}/{target}/{name}/reset",
    permission: "operate",
    humansOnly: true,
    params: byEndpoint,
    body: comment,
    output: breakerSchema,
  },
  ...approvalOperations,
  ...auditOperations,
  ...groundTruthOperations,
  ...monitorOperations,
  ...peopleOperations,
  ...trustOperations,
  ...policyOperations,
  ...webhookOperations,
  ...workloadOperations,
} as const satisfies Record<string, Operation>;

export type Operations = typeof operations;
export type OperationName = keyof Operations;

type Part<O, K extends string> =
  O extends Record<K, infer S>
    ? S extends z.ZodType
      ? z.infer<S>
      : S extends "bytes"
        ? Uint8Array
        : undefined
    : undefined;

/** What a handler receives after the surface has checked it. */
export interface OperationInput<N extends OperationName> {
  params: Part<Operations[N], "params">;
  query: Part<Operations[N], "query">;
  body: Part<Operations[N], "body">;
}
export type OperationOutput<N extends OperationName> = z.infer<Operations[N]["output"]>;
