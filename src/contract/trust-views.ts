import { z } from "zod";
import { digestSchema, timeSchema } from "./views.ts";

/** What is told of evidence, and of whom and what a tenant trusts. */

/** Kinds of evidence that somebody signs and that are handed in. */
export const SIGNED_KINDS = ["tests", "manifest-signature", "image-signature", "provenance"] as const;
/** What an administrator may trust a signer for. Keys that approve are enrolled by the people who hold them. */
export const TRUSTED_PURPOSES = ["tests", "manifest", "image", "provenance"] as const;

export const signedKindSchema = z.enum(SIGNED_KINDS, `must be one of ${SIGNED_KINDS.join(", ")}`);
export const trustedPurposeSchema = z.enum(TRUSTED_PURPOSES, `must be one of ${TRUSTED_PURPOSES.join(", ")}`);

export const evidenceSchema = z
  .object({
    id: digestSchema,
    subjectDigest: digestSchema,
    kind: z.string(),
    predicateType: z.string(),
    keyId: z.string().describe("Of the key that signed, or of the identity"),
    identity: z.object({ issuer: z.string(), subject: z.string() }).nullable().default(null),
    result: z.string(),
    addedBy: z.string(),
    addedAt: timeSchema,
    provenAt: timeSchema.nullable().default(null).describe("When a log or a timestamp authority saw it"),
    revoked: z.object({ at: timeSchema, by: z.string(), reason: z.string() }).nullable().default(null),
  })
  .meta({ id: "Evidence" });

export const keySchema = z
  .object({
    keyId: z.string(),
    purpose: z.string(),
    publicKey: z.string(),
    addedBy: z.string(),
    addedAt: timeSchema,
    // A server of the release before does not say it.
    notAfter: timeSchema.nullable().default(null),
    revokedAt: timeSchema.nullable(),
  })
  .meta({ id: "TrustedKey" });

export const identitySchema = z
  .object({
    id: z.string(),
    purpose: z.string(),
    issuer: z.string(),
    subject: z.string(),
    addedBy: z.string(),
    addedAt: timeSchema,
    notAfter: timeSchema.nullable(),
    revokedAt: timeSchema.nullable(),
  })
  .meta({ id: "TrustedIdentity" });

const seconds = z.number().int().min(60).max(315_360_000);
/** How old evidence of a kind may be, in seconds. */
export const maxAgeSecondsSchema = z.strictObject({
  tests: seconds.optional(),
  "manifest-signature": seconds.optional(),
  "image-signature": seconds.optional(),
  provenance: seconds.optional(),
});

export const trustSettingsSchema = z
  .object({
    builders: z.array(z.string()),
    maxAgeSeconds: z.record(signedKindSchema, z.number().int()),
    trustedRoot: z
      .object({
        digest: digestSchema,
        certificateAuthorities: z.number().int(),
        tlogs: z.number().int(),
        ctlogs: z.number().int(),
        timestampAuthorities: z.number().int(),
      })
      .nullable(),
    updatedBy: z.string().nullable(),
    updatedAt: timeSchema.nullable(),
  })
  .meta({ id: "TrustSettings" });
