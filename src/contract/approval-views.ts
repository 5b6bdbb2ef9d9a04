import { z } from "zod";
import { passkeyAnswerSchema } from "./people-operations.ts";
import { digestSchema, endpointSchema, rolloutSchema, timeSchema } from "./views.ts";

/** What is told of approvals, and how a person proves that one is theirs. */

export const approvalRequestSchema = z
  .object({
    rollout: rolloutSchema,
    planDigest: digestSchema.describe("The plan that an approval binds; it is sent back with the approval"),
    needs: z.array(
      z.object({
        role: z.string(),
        count: z.number().int(),
        mfa: z.boolean(),
        signed: z.boolean(),
        given: z.number().int(),
        clauses: z.array(z.string()),
      }),
    ),
    expiresAt: timeSchema.nullable(),
  })
  .meta({ id: "ApprovalRequest" });

/** The second factor of one request. */
export const stepUpSchema = z
  .union([
    z.strictObject({
      kind: z.literal("totp"),
      code: z.string().regex(/^[0-9]{6}$/, "must be the six digits of a one-time code"),
    }),
    z.strictObject({ kind: z.literal("passkey"), response: passkeyAnswerSchema }),
  ])
  .meta({ id: "StepUp" });
export type StepUp = z.infer<typeof stepUpSchema>;

/** A statement is named by its nonce or comes back in its signed bundle; what is due of the rest, the need says. */
export const proofSchema = z.object({
  nonce: z.string().max(64).optional(),
  /** A Sigstore bundle v0.3 around the statement's exact bytes. */
  bundle: z.record(z.string(), z.unknown()).optional(),
  stepUp: stepUpSchema.optional(),
});

export const statementSchema = z
  .object({
    nonce: z.string(),
    payloadType: z.string(),
    /** Base64 of the exact bytes that are signed, inside DSSE's pre-authentication encoding. */
    payload: z.string(),
    /** SHA-256 of that encoding: what a passkey's challenge is. */
    challenge: digestSchema,
    /** The bytes of the plan that the statement's subject is the digest of, in base64; null for other subjects. */
    subject: z.string().nullable(),
    /** Until when it may be handed in. */
    submitBefore: timeSchema,
    /** Until when what it says counts. */
    notAfter: timeSchema,
    requires: z.object({ mfa: z.boolean(), signed: z.boolean() }),
  })
  .meta({ id: "ApprovalStatement" });

export const breakGlassSchema = z
  .object({
    rollout: z.string(),
    endpoint: endpointSchema,
    planDigest: digestSchema,
    by: z.string(),
    reason: z.string(),
    at: timeSchema,
    keyId: z.string(),
    review: z
      .object({ by: z.string(), at: timeSchema, verdict: z.enum(["justified", "not-justified"]), comment: z.string() })
      .nullable(),
  })
  .meta({ id: "BreakGlass" });

export const ownKeyFields = {
  publicKey: z.string().max(16_384),
  kind: z.enum(["cosign", "webcrypto"]).default("cosign"),
  label: z
    .string()
    .regex(/^[\p{L}\p{N} ._'-]{1,64}$/u, "must be 1 to 64 letters, digits, spaces and ._'-")
    .optional(),
};

export const approverKeySchema = z
  .object({
    keyId: z.string(),
    kind: z.enum(["cosign", "webcrypto"]),
    label: z.string(),
    publicKey: z.string(),
    addedAt: timeSchema,
    revokedAt: timeSchema.nullable(),
  })
  .meta({ id: "ApproverKey" });

export const mfaSchema = z
  .object({
    totp: z.enum(["none", "pending", "confirmed"]),
    /** While too many wrong codes came in: until when none is taken. */
    totpLockedUntil: timeSchema.nullable(),
    passkeys: z.number().int(),
    keys: z.number().int(),
  })
  .meta({ id: "SecondFactors" });

export const totpEnrolmentSchema = z
  .object({
    /** Base32, shown once. */
    secret: z.string(),
    /** For an authenticator program. */
    uri: z.string(),
    /** What a passkey signs to confirm it, where the person has one. */
    challenge: digestSchema,
  })
  .meta({ id: "TotpEnrolment" });
