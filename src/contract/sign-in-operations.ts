import { z } from "zod";
import type { Operation } from "./operation.ts";
import { passkeyAnswerSchema, passkeyRegistrationSchema } from "./people-operations.ts";

/** What is asked by a browser whose person nobody knows yet: no credential, so no permission. */
export type SignInOperation = Omit<Operation, "permission" | "humansOnly">;

const code = z.string().max(64);
/** Goes to the browser's authenticator as it is: WebAuthn's options in JSON. */
const ceremony = z.record(z.string(), z.unknown());
const signedIn = z
  .object({ tenant: z.string(), principal: z.string(), expiresAt: z.iso.datetime() })
  .meta({ id: "SignedIn" });

/**
 * How people come in. A good answer sets the session's cookie; requests must come from the installation's own pages
 * (`Origin`).
 */
export const signInOperations = {
  "signIn.ways": {
    summary: "Which ways of signing in this installation offers",
    method: "GET",
    path: "/v1/sign-in",
    output: z.object({ passkey: z.boolean(), oidc: z.boolean(), origin: z.string().nullable() }),
  },
  "signIn.passkey.options": {
    summary: "A challenge for whichever passkey the person picks; good for five minutes and one answer",
    method: "POST",
    path: "/v1/sign-in/passkey/options",
    output: ceremony,
  },
  "signIn.passkey": {
    summary: "Sign in by a passkey's answer",
    method: "POST",
    path: "/v1/sign-in/passkey",
    body: passkeyAnswerSchema,
    output: signedIn,
  },
  "signIn.enrolment.options": {
    summary: "A challenge for a new passkey of the person that a one-time code is for",
    method: "POST",
    path: "/v1/sign-in/enrolment/options",
    body: z.strictObject({ code }),
    output: z.object({ principal: z.string(), tenant: z.string(), options: ceremony }),
  },
  "signIn.enrolment": {
    summary: "Register the new passkey, which uses the code up, and sign in by it",
    method: "POST",
    path: "/v1/sign-in/enrolment",
    body: z.strictObject({
      code,
      registration: passkeyRegistrationSchema,
      label: z
        .string()
        .regex(/^[\p{L}\p{N} ._'-]{1,64}$/u, "must be 1 to 64 letters, digits, spaces and ._'-")
        .default("passkey"),
    }),
    output: signedIn,
    status: 201,
  },
  "signIn.out": {
    summary: "End the session of this browser",
    method: "POST",
    path: "/v1/sign-out",
    output: z.object({ signedOut: z.boolean() }),
  },
} as const satisfies Record<string, SignInOperation>;
