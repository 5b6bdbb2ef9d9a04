import { createHash, randomBytes } from "node:crypto";
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from "@simplewebauthn/server";
import { type PasskeyAnswer, type PasskeyRegistration, passkeyAnswerSchema } from "../contract/people-operations.ts";
import type { Transaction } from "../store/database.ts";
import { insertPasskey, lockPasskey, type PasskeyRow, usePasskey } from "../store/queries/passkeys.ts";
import type { PeopleParts, RelyingParty } from "./people-parts.ts";
import { refuse } from "./refusal.ts";

/** ES256, EdDSA, RS256, in the order in which they are liked. */
const ALGORITHMS = [-7, -8, -257];

/** Why an answer of an authenticator was not taken; a code, for the audit log. */
export type PasskeyRefusal = "unknown-passkey" | "other-person" | "not-verified";

export type PasskeyVerdict = { ok: true; passkey: PasskeyRow } | { ok: false; reason: PasskeyRefusal };

export interface PasskeyParts {
  people?: PeopleParts;
  nowMs(): number;
}

/** Errors: `sign-in-unavailable` where no address for browsers is set. */
export function relyingPartyOf(parts: PasskeyParts): RelyingParty {
  const party = parts.people?.relyingParty();
  if (party !== undefined) return party;
  return refuse(
    "sign-in-unavailable",
    "People cannot sign in by browser here: set publicUrl to the address at which browsers find this server.",
  );
}

/**
 * Whether this person's authenticator, after verifying its user, signed exactly this challenge for this installation.
 * For a step-up the caller gives what is to be approved as the challenge (the SHA-256 of the envelope's PAE bytes) and
 * sees to it that the same one is never accepted twice. A good answer counts the passkey's counter up within `tx`.
 * Errors: `sign-in-unavailable`.
 */
export async function verifyPasskeyStepUp(
  tx: Transaction,
  parts: PasskeyParts,
  asked: { tenant: string; principal: string; challenge: Buffer; response: unknown },
): Promise<PasskeyVerdict> {
  const party = relyingPartyOf(parts);
  const notVerified = { ok: false, reason: "not-verified" } as const;
  const parsed = passkeyAnswerSchema.safeParse(asked.response);
  if (!parsed.success) return notVerified;
  const passkey = await lockPasskey(tx, asked.tenant, parsed.data.id);
  if (passkey === undefined) return { ok: false, reason: "unknown-passkey" };
  if (passkey.principal !== asked.principal) return { ok: false, reason: "other-person" };
  const counter = await verifiedCounter(party, passkey, { challenge: asked.challenge, response: parsed.data });
  if (counter === undefined) return notVerified;
  await usePasskey(tx, { tenant: passkey.tenant, id: passkey.id, counter, atMs: parts.nowMs() });
  return { ok: true, passkey };
}

/** What the authenticator counts after this answer; undefined when the answer is not right. */
async function verifiedCounter(
  party: RelyingParty,
  passkey: PasskeyRow,
  { challenge, response }: { challenge: Buffer; response: PasskeyAnswer },
): Promise<number | undefined> {
  if (isFramed(response.response.clientDataJSON) || !ownHandle(response, passkey)) return undefined;
  const { verifyAuthenticationResponse } = await import("@simplewebauthn/server");
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: response as AuthenticationResponseJSON,
      expectedChallenge: challenge.toString("base64url"),
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      requireUserVerification: true,
      credential: {
        id: passkey.credentialId,
        publicKey: new Uint8Array(passkey.publicKey),
        counter: passkey.counter,
      },
    });
    return verified ? authenticationInfo.newCounter : undefined;
  } catch {
    // The library throws for every answer that is not right, and its words quote what a stranger sent.
    return undefined;
  }
}

/** What a page inside another page asked for may have been asked for without the person seeing where they are. */
function isFramed(clientDataJSON: string): boolean {
  return clientData(clientDataJSON)?.["crossOrigin"] === true;
}

/** An authenticator that names a user must name the one that the passkey was made for. */
function ownHandle({ response }: PasskeyAnswer, { userHandle }: PasskeyRow): boolean {
  if (response.userHandle === undefined || response.userHandle === "") return true;
  return Buffer.from(response.userHandle, "base64url").equals(userHandle);
}

/** The challenge that an answer says it is for; undefined when the answer is not readable. It proves nothing yet. */
export function claimedChallenge(clientDataJSON: string): Buffer | undefined {
  const challenge = clientData(clientDataJSON)?.["challenge"];
  return typeof challenge === "string" ? Buffer.from(challenge, "base64url") : undefined;
}

function clientData(encoded: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** How the store knows a challenge. */
export function challengeHash(challenge: Uint8Array): Buffer {
  return createHash("sha256").update(challenge).digest();
}

/** What a browser needs to ask its authenticator for a new passkey. */
export function registrationOptions(
  party: RelyingParty,
  person: { tenant: string; principal: string; userHandle: Buffer; existing: readonly PasskeyRow[]; challenge: Buffer },
): Record<string, unknown> {
  return {
    rp: { id: party.id, name: "Continuum" },
    user: {
      id: person.userHandle.toString("base64url"),
      name: `${person.principal} (${person.tenant})`,
      displayName: person.principal,
    },
    challenge: person.challenge.toString("base64url"),
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
    timeout: 300_000,
    attestation: "none",
    authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
    excludeCredentials: person.existing.map(({ credentialId, transports }) => ({
      ...{ type: "public-key", id: credentialId, transports },
    })),
  };
}

/** What a browser needs to ask whichever passkey of this installation its person picks. */
export function signInOptions(party: RelyingParty, challenge: Buffer): Record<string, unknown> {
  return {
    challenge: challenge.toString("base64url"),
    rpId: party.id,
    timeout: 300_000,
    userVerification: "required",
    allowCredentials: [],
  };
}

/** Stores a new passkey after verifying that it was made for this challenge, here, by a verified user. False: it was not. */
export async function registerPasskey(
  tx: Transaction,
  parts: PasskeyParts,
  asked: {
    tenant: string;
    principal: string;
    userHandle: Buffer;
    challenge: Buffer;
    registration: PasskeyRegistration;
    label: string;
  },
): Promise<{ ok: true; id: string } | { ok: false }> {
  const party = relyingPartyOf(parts);
  const made = await verifiedRegistration(party, asked);
  if (made === undefined) return { ok: false };
  const id = `pk_${randomBytes(8).toString("hex")}`;
  const { tenant, principal, userHandle, label } = asked;
  const stored = await insertPasskey(tx, {
    ...{ tenant, id, principal, userHandle, label, createdAtMs: parts.nowMs() },
    ...{ credentialId: made.id, publicKey: Buffer.from(made.publicKey), counter: made.counter },
    transports: asked.registration.response.transports ?? [],
  });
  return stored ? { ok: true, id } : { ok: false };
}

async function verifiedRegistration(
  party: RelyingParty,
  { registration, challenge }: { registration: PasskeyRegistration; challenge: Buffer },
): Promise<{ id: string; publicKey: Uint8Array; counter: number } | undefined> {
  if (isFramed(registration.response.clientDataJSON)) return undefined;
  const { verifyRegistrationResponse } = await import("@simplewebauthn/server");
  try {
    const result = await verifyRegistrationResponse({
      response: registration as RegistrationResponseJSON,
      expectedChallenge: challenge.toString("base64url"),
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    return result.verified ? result.registrationInfo.credential : undefined;
  } catch {
    return undefined;
  }
}
