import { z } from "zod";
import type { Operation } from "./operation.ts";
import { page } from "./operation-parts.ts";
import {
  evidenceSchema,
  identitySchema,
  keySchema,
  maxAgeSecondsSchema,
  signedKindSchema,
  trustedPurposeSchema,
  trustSettingsSchema,
} from "./trust-views.ts";
import { digestSchema, pageOf, timeSchema } from "./views.ts";

/** Whom a tenant trusts decides what can be deployed, so only people who administer change it. */
const guarded = { permission: "administer", humansOnly: true } as const;
const notAfter = timeSchema.optional();

export const trustOperations = {
  "evidence.add": {
    summary: "Store a signed statement by the digest of its subject",
    method: "POST",
    path: "/v1/evidence",
    permission: "propose",
    body: z.strictObject({
      bundle: z.record(z.string(), z.unknown()),
      kind: signedKindSchema.optional().describe("Refused when the bundle is of another kind"),
      manifest: z
        .base64()
        .max(1_400_000)
        .optional()
        .describe("The canonical bytes of the plan that the bundle signs, where the plan was not submitted yet"),
    }),
    output: evidenceSchema,
    status: 201,
  },
  "evidence.list": {
    summary: "Stored statements",
    method: "GET",
    path: "/v1/evidence",
    permission: "read",
    query: z.object({ ...page, subject: digestSchema.optional(), kind: signedKindSchema.optional() }),
    output: pageOf(evidenceSchema),
  },
  "evidence.revoke": {
    summary: "Take a stored statement out of force for good; people only",
    method: "POST",
    path: "/v1/evidence/{id}/revoke",
    permission: "operate",
    humansOnly: true,
    params: z.object({ id: digestSchema }),
    body: z.strictObject({ reason: z.string().trim().min(1).max(2000) }),
    output: z.object({ items: z.array(evidenceSchema) }),
  },
  "keys.import": {
    summary: "Trust a public key for one purpose; people only",
    method: "POST",
    path: "/v1/keys",
    ...guarded,
    body: z.strictObject({ purpose: trustedPurposeSchema, publicKey: z.string().max(16_384), notAfter }),
    output: keySchema,
    status: 201,
  },
  "keys.list": {
    summary: "Trusted keys",
    method: "GET",
    path: "/v1/keys",
    permission: "read",
    query: z.object(page),
    output: pageOf(keySchema),
  },
  "keys.revoke": {
    summary: "Stop trusting a key for its purpose; people only",
    method: "DELETE",
    path: "/v1/keys/{purpose}/{keyId}",
    ...guarded,
    params: z.object({ purpose: z.string().max(32), keyId: z.string().max(128) }),
    output: keySchema,
  },
  "identities.add": {
    summary: "Trust an identity that certificates name, exactly, for one purpose; people only",
    method: "POST",
    path: "/v1/identities",
    ...guarded,
    body: z.strictObject({
      purpose: trustedPurposeSchema,
      issuer: z.url({ protocol: /^https$/, error: "must be the issuer's address, https://..." }).max(512),
      subject: z
        .string()
        .min(1)
        .max(1024)
        .regex(/^\P{C}+$/u, "must be printable, exactly as the certificate has it"),
      notAfter,
    }),
    output: identitySchema,
    status: 201,
  },
  "identities.list": {
    summary: "Trusted identities",
    method: "GET",
    path: "/v1/identities",
    permission: "read",
    query: z.object(page),
    output: pageOf(identitySchema),
  },
  "identities.revoke": {
    summary: "Stop trusting an identity for its purpose; people only",
    method: "DELETE",
    path: "/v1/identities/{purpose}/{id}",
    ...guarded,
    params: z.object({ purpose: z.string().max(32), id: z.string().max(128) }),
    output: identitySchema,
  },
  "trust.show": {
    summary: "Builders that count, how old evidence may be, and the pinned trusted root",
    method: "GET",
    path: "/v1/trust",
    permission: "read",
    output: trustSettingsSchema,
  },
  "trust.update": {
    summary: "Say which builders count and how old evidence may be; people only",
    method: "PUT",
    path: "/v1/trust",
    ...guarded,
    body: z.strictObject({
      builders: z.array(z.string().min(1).max(4096)).max(256).optional(),
      maxAgeSeconds: maxAgeSecondsSchema.optional(),
    }),
    output: trustSettingsSchema,
  },
  "trust.pin": {
    summary: "Pin the trusted root that identities are verified against; people only",
    method: "PUT",
    path: "/v1/trust/root",
    ...guarded,
    body: z.strictObject({ trustedRoot: z.record(z.string(), z.unknown()) }),
    output: trustSettingsSchema,
  },
  "trust.unpin": {
    summary: "Remove the trusted root: no identity counts any more; people only",
    method: "DELETE",
    path: "/v1/trust/root",
    ...guarded,
    output: trustSettingsSchema,
  },
} as const satisfies Record<string, Operation>;
