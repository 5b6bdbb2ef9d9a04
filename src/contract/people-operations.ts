import { z } from "zod";
import { GRANTABLE_ROLES, type Operation } from "./operation.ts";
import { byId, page } from "./operation-parts.ts";
import { pageOf, timeSchema } from "./views.ts";

/** Bytes as browsers write them, in base64url without padding. */
const bytes = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[A-Za-z0-9_-]+$/, "must be base64url without padding");

const credentialId = bytes(1400);
const transports = z.array(z.string().max(32)).max(8);

/** What an authenticator answered to a challenge: WebAuthn's AuthenticationResponseJSON. */
export const passkeyAnswerSchema = z
  .object({
    id: credentialId,
    rawId: credentialId,
    type: z.literal("public-key"),
    response: z.object({
      clientDataJSON: bytes(8192),
      authenticatorData: bytes(8192),
      signature: bytes(4096),
      userHandle: z.string().max(128).optional(),
    }),
    clientExtensionResults: z.record(z.string(), z.unknown()).optional(),
    authenticatorAttachment: z.string().max(32).optional(),
  })
  .meta({ id: "PasskeyAnswer" });
export type PasskeyAnswer = z.infer<typeof passkeyAnswerSchema>;

/** A new passkey: WebAuthn's RegistrationResponseJSON. */
export const passkeyRegistrationSchema = z.object({
  id: credentialId,
  rawId: credentialId,
  type: z.literal("public-key"),
  response: z.object({
    clientDataJSON: bytes(8192),
    attestationObject: bytes(65_536),
    transports: transports.optional(),
  }),
  clientExtensionResults: z.record(z.string(), z.unknown()).optional(),
  authenticatorAttachment: z.string().max(32).optional(),
});
export type PasskeyRegistration = z.infer<typeof passkeyRegistrationSchema>;

const enrolmentSchema = z
  .object({
    principal: z.string(),
    /** Opens the page with the code; the part after `#` is never sent to a server. Null where no publicUrl is set. */
    link: z.string().nullable(),
    /** Shown once; good for one passkey. */
    code: z.string(),
    expiresAt: timeSchema,
  })
  .meta({ id: "Enrolment" });

const personSchema = z
  .object({
    id: z.string(),
    roles: z.array(z.enum(GRANTABLE_ROLES)),
    passkeys: z.number().int(),
    /** Signs in by the organisation's identity provider, which says the roles. */
    linked: z.boolean(),
    lastSeenAt: timeSchema.nullable(),
  })
  .meta({ id: "Person" });

const passkeySchema = z
  .object({ id: z.string(), label: z.string(), createdAt: timeSchema, lastUsedAt: timeSchema.nullable() })
  .meta({ id: "Passkey" });

const sessionSchema = z
  .object({
    id: z.string(),
    method: z.enum(["passkey", "oidc"]),
    /** This is the session that asks. */
    current: z.boolean(),
    createdAt: timeSchema,
    seenAt: timeSchema,
    expiresAt: timeSchema,
  })
  .meta({ id: "Session" });

const expiresInSeconds = z.number().int().min(60).max(604_800).optional();
const guarded = { permission: "administer", humansOnly: true } as const;
const own = { permission: "read", humansOnly: true } as const;

export const peopleOperations = {
  "people.list": {
    summary: "People of the tenant, their roles, and how they sign in; people only",
    method: "GET",
    path: "/v1/people",
    ...guarded,
    query: z.object(page),
    output: pageOf(personSchema),
  },
  "people.invite": {
    summary: "Let a person register their first passkey by a one-time code, shown once; people only",
    method: "POST",
    path: "/v1/people",
    ...guarded,
    body: z.strictObject({
      principal: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "must be 1 to 63 of a-z, 0-9, ., _ and -"),
      roles: z.array(z.enum(GRANTABLE_ROLES)).min(1),
      expiresInSeconds,
    }),
    output: enrolmentSchema,
    status: 201,
  },
  "people.reset": {
    summary:
      "Remove a person's passkeys and one-time codes and end their sessions; they can then be invited anew; people only",
    method: "POST",
    path: "/v1/people/{id}/reset",
    ...guarded,
    params: byId,
    output: z.object({ passkeys: z.number().int(), sessions: z.number().int(), totp: z.boolean() }),
  },
  "me.enroll": {
    summary: "A one-time code for a passkey of one's own: the first, or one more after a fresh sign-in; people only",
    method: "POST",
    path: "/v1/me/enrolments",
    ...own,
    body: z.strictObject({
      expiresInSeconds,
      /** Of somebody who has one-time codes and no passkey yet. */
      totpCode: z
        .string()
        .regex(/^[0-9]{6}$/, "must be the six digits of a one-time code")
        .optional(),
    }),
    output: enrolmentSchema,
    status: 201,
  },
  "me.passkeys.list": {
    summary: "One's own passkeys; people only",
    method: "GET",
    path: "/v1/me/passkeys",
    ...own,
    output: z.object({ items: z.array(passkeySchema) }),
  },
  "me.passkeys.remove": {
    summary: "Remove a passkey of one's own, after a fresh sign-in; people only",
    method: "DELETE",
    path: "/v1/me/passkeys/{id}",
    ...own,
    params: byId,
    output: z.object({ removed: z.boolean() }),
  },
  "me.sessions.list": {
    summary: "One's own open sessions; people only",
    method: "GET",
    path: "/v1/me/sessions",
    ...own,
    output: z.object({ items: z.array(sessionSchema) }),
  },
  "me.sessions.end": {
    summary: "End one of one's own sessions; people only",
    method: "DELETE",
    path: "/v1/me/sessions/{id}",
    ...own,
    params: byId,
    output: z.object({ ended: z.boolean() }),
  },
} as const satisfies Record<string, Operation>;
