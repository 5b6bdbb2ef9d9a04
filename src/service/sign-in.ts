import { createHash, randomBytes } from "node:crypto";
import type { PasskeyAnswer, PasskeyRegistration } from "../contract/people-operations.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { SYSTEM } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
import { passkeyByCredential, passkeysOf, tenantOfPasskey } from "../store/queries/passkeys.ts";
import {
  consumeEnrolment,
  type EnrolmentRow,
  enrolmentByCode,
  insertChallenge,
  takeChallenge,
  tenantOfEnrolment,
} from "../store/queries/people.ts";
import { readPrincipal } from "../store/queries/principals.ts";
import { createOidc, type OidcSignIn } from "./oidc.ts";
import {
  challengeHash,
  claimedChallenge,
  registerPasskey,
  registrationOptions,
  relyingPartyOf,
  signInOptions,
  verifyPasskeyStepUp,
} from "./passkeys.ts";
import type { PeopleParts } from "./people-parts.ts";
import { refuse } from "./refusal.ts";
import { beginSession, endPersonSessions, type NewSession, principalOfSession } from "./sessions.ts";
import { countFailures, forgetAccount, requireNotBlocked, type Throttled } from "./sign-in-throttle.ts";

const CHALLENGE_MS = 5 * 60_000;
const CODE_SHAPE = /^cte_[A-Za-z0-9_-]{43}$/;

export interface SignInParts {
  database: Database;
  people?: PeopleParts;
  nowMs(): number;
}

/** Whoever knocks: where from, and the session that their browser holds already. */
export interface Visitor {
  address: string;
  session?: string;
}

export interface SignedIn extends NewSession {
  tenant: string;
  principal: string;
}

/**
 * How people come in. Nobody is known here yet, so tenant and person come from what is proved alone: the passkey, the
 * one-time code, the identity provider. Errors: `sign-in-refused`, the same for everything that is wrong;
 * `too-many-requests`; `sign-in-unavailable`.
 */
export interface SignIn {
  /** Which ways this installation offers, and the origin at which. */
  ways(): { passkey: boolean; oidc: boolean; origin: string | null };
  passkeyOptions(visitor: Visitor): Promise<Record<string, unknown>>;
  passkey(visitor: Visitor, answer: PasskeyAnswer): Promise<SignedIn>;
  enrolmentOptions(visitor: Visitor, code: string): Promise<Record<string, unknown>>;
  enrol(
    visitor: Visitor,
    brought: { code: string; registration: PasskeyRegistration; label: string },
  ): Promise<SignedIn>;
  oidcStart(visitor: Visitor): Promise<{ url: string; state: string }>;
  /** `url` is what the identity provider sent the browser to; `state` is what the browser kept from the start. */
  oidcFinish(visitor: Visitor, brought: { url: URL; state: string }): Promise<SignedIn>;
  signOut(session: string): Promise<void>;
}

export function createSignIn(parts: SignInParts): SignIn {
  const oidc = createOidc(parts);
  return {
    ways: () => waysOf(parts, oidc),
    passkeyOptions: (visitor) => passkeyOptions(parts, visitor),
    passkey: (visitor, answer) => signInByPasskey(parts, visitor, answer),
    enrolmentOptions: (visitor, code) => enrolmentOptions(parts, visitor, code),
    enrol: (visitor, brought) => enrol(parts, visitor, brought),
    oidcStart: async (visitor) => {
      await requireNotBlocked(parts, [from(visitor)]);
      return oidc.start();
    },
    oidcFinish: (visitor, brought) => signInByOidc(parts, oidc, visitor, brought),
    signOut: (session) => endOf(parts, session),
  };
}

function waysOf(parts: SignInParts, oidc: OidcSignIn): ReturnType<SignIn["ways"]> {
  const origin = parts.people?.relyingParty()?.origin ?? null;
  return { passkey: origin !== null, oidc: origin !== null && oidc.available(), origin };
}

async function passkeyOptions(parts: SignInParts, visitor: Visitor): Promise<Record<string, unknown>> {
  const party = relyingPartyOf(parts);
  await requireNotBlocked(parts, [from(visitor)]);
  return signInOptions(party, await newChallenge(parts, "sign-in", {}));
}

async function signInByPasskey(parts: SignInParts, visitor: Visitor, response: PasskeyAnswer): Promise<SignedIn> {
  relyingPartyOf(parts);
  await requireNotBlocked(parts, [from(visitor)]);
  const challenge = await answered(parts, "sign-in", response.response.clientDataJSON);
  const owner = challenge === undefined ? undefined : await ownerOf(parts, response.id);
  if (challenge === undefined || owner === undefined) return refused(parts, [from(visitor)]);
  const { tenant, principal } = owner;
  const account: Throttled = { kind: "account", value: `${tenant}/${principal}` };
  await requireNotBlocked(parts, [account]);
  const signedIn = await parts.database.forTenant(tenant).transaction(async (tx) => {
    const verdict = await verifyPasskeyStepUp(tx, parts, { tenant, principal, challenge: challenge.bytes, response });
    if (!verdict.ok) return undefined;
    const person = await readPrincipal(tx, tenant, principal);
    if (person?.kind !== "human") return undefined;
    return beginSession(tx, parts, { tenant, principal, roles: person.roles, method: "passkey" });
  });
  if (signedIn === undefined) {
    await tellRefused(parts, { tenant, principal, reason: "passkey-not-verified" });
    return refused(parts, [from(visitor), account]);
  }
  await forgetAccount(parts, account.value);
  return afterSignIn(parts, visitor, { ...signedIn, tenant, principal });
}

async function ownerOf(
  { database }: SignInParts,
  credentialId: string,
): Promise<{ tenant: string; principal: string } | undefined> {
  const tenant = await tenantOfPasskey(database, credentialId);
  return tenant === undefined ? undefined : passkeyByCredential(database.forTenant(tenant), tenant, credentialId);
}

async function enrolmentOptions(parts: SignInParts, visitor: Visitor, code: string): Promise<Record<string, unknown>> {
  const party = relyingPartyOf(parts);
  const { id, tenant, principal } = await openEnrolment(parts, visitor, code);
  const existing = await passkeysOf(parts.database.forTenant(tenant), tenant, principal);
  // All passkeys of a person carry one handle, so that authenticators show them as one account.
  const userHandle = existing[0]?.userHandle ?? randomBytes(32);
  const details = { enrolment: id, userHandle: userHandle.toString("base64url") };
  const challenge = await newChallenge(parts, "enrolment", details);
  return {
    principal,
    tenant,
    options: registrationOptions(party, { tenant, principal, userHandle, existing, challenge }),
  };
}

async function enrol(
  parts: SignInParts,
  visitor: Visitor,
  brought: { code: string; registration: PasskeyRegistration; label: string },
): Promise<SignedIn> {
  relyingPartyOf(parts);
  const open = await openEnrolment(parts, visitor, brought.code);
  const challenge = await answered(parts, "enrolment", brought.registration.response.clientDataJSON);
  if (challenge?.details["enrolment"] !== open.id) return refused(parts, [from(visitor)]);
  const userHandle = Buffer.from(String(challenge.details["userHandle"]), "base64url");
  const { registration, label } = brought;
  const { tenant, principal } = open;
  const signedIn = await parts.database.forTenant(tenant).transaction(async (tx) => {
    const used = await consumeEnrolment(tx, codeHash(brought.code), parts.nowMs());
    const person = used === undefined ? undefined : await readPrincipal(tx, tenant, principal);
    if (used === undefined || person?.kind !== "human") return undefined;
    const made = { tenant, principal, userHandle, challenge: challenge.bytes, registration, label };
    const passkey = await registerPasskey(tx, parts, made);
    // Thrown, so that a code is not used up by an answer that was not taken.
    if (!passkey.ok) return refuse("sign-in-refused", "The new passkey was not accepted: it must verify its user.");
    const actor = { id: principal, kind: "human" } as const;
    const fact = { tenant, atMs: parts.nowMs(), actor, subject: `passkey:${passkey.id}`, outcome: "accepted" } as const;
    await appendAudit(tx, { ...fact, action: "passkey.add", details: { principal, owner: used.createdBy } });
    return beginSession(tx, parts, { tenant, principal, roles: person.roles, method: "passkey" });
  });
  if (signedIn === undefined) return refused(parts, [from(visitor)]);
  return afterSignIn(parts, visitor, { ...signedIn, tenant, principal });
}

async function openEnrolment(parts: SignInParts, visitor: Visitor, code: string): Promise<EnrolmentRow> {
  await requireNotBlocked(parts, [from(visitor)]);
  const open = CODE_SHAPE.test(code) ? await enrolmentOf(parts, code) : undefined;
  return open ?? refused(parts, [from(visitor)], "The code is unknown, was used, or has expired: ask for another.");
}

async function enrolmentOf({ database, nowMs }: SignInParts, code: string): Promise<EnrolmentRow | undefined> {
  const hash = codeHash(code);
  const tenant = await tenantOfEnrolment(database, hash);
  return tenant === undefined ? undefined : enrolmentByCode(database.forTenant(tenant), hash, nowMs());
}

async function signInByOidc(
  parts: SignInParts,
  oidc: OidcSignIn,
  visitor: Visitor,
  brought: { url: URL; state: string },
): Promise<SignedIn> {
  await requireNotBlocked(parts, [from(visitor)]);
  const verdict = await oidc.finish(brought);
  if (!verdict.ok) {
    await tellRefused(parts, verdict);
    return refused(parts, [from(visitor)], verdict.message);
  }
  const { tenant, principal, roles } = verdict;
  const signedIn = await parts.database
    .forTenant(tenant)
    .transaction((tx) => beginSession(tx, parts, { tenant, principal, roles, method: "oidc" }));
  return afterSignIn(parts, visitor, { ...signedIn, tenant, principal });
}

/** A browser has one session: the one that it came with ends as the new one begins. */
async function afterSignIn(parts: SignInParts, visitor: Visitor, signedIn: SignedIn): Promise<SignedIn> {
  if (visitor.session !== undefined) await endOf(parts, visitor.session);
  return signedIn;
}

async function endOf(parts: SignInParts, session: string): Promise<void> {
  const principal = await principalOfSession(parts, session);
  if (principal?.session === undefined) return;
  const { tenant, id } = principal;
  const which = { tenant, principal: id, id: principal.session.id, by: { id, kind: "human" } as const };
  await parts.database.forTenant(tenant).transaction((tx) => endPersonSessions(tx, parts, which));
}

async function newChallenge(parts: SignInParts, purpose: "sign-in" | "enrolment", details: object): Promise<Buffer> {
  const challenge = randomBytes(32);
  const nowMs = parts.nowMs();
  const times = { nowMs, expiresAtMs: nowMs + CHALLENGE_MS };
  await insertChallenge(parts.database, { hash: challengeHash(challenge), purpose, details, ...times });
  return challenge;
}

/** The challenge that an answer is for, if it was given out for this and nobody answered it before. */
async function answered(
  parts: SignInParts,
  purpose: "sign-in" | "enrolment",
  clientDataJSON: string,
): Promise<{ bytes: Buffer; details: Record<string, unknown> } | undefined> {
  const bytes = claimedChallenge(clientDataJSON);
  if (bytes === undefined) return undefined;
  const found = { hash: challengeHash(bytes), purpose, nowMs: parts.nowMs() };
  const details = await takeChallenge(parts.database, found);
  return details === undefined ? undefined : { bytes, details };
}

async function refused(
  parts: SignInParts,
  who: readonly Throttled[],
  message = "Signing in was refused: the passkey is not known here, or its answer was not accepted.",
): Promise<never> {
  await countFailures(parts, who);
  return refuse("sign-in-refused", message);
}

/** Of a person whom somebody claimed to be; who it really was nobody knows. */
function tellRefused(
  parts: SignInParts,
  { tenant, principal, reason }: { tenant: string; principal?: string; reason: string },
): Promise<void> {
  const subject = principal === undefined ? `tenant:${tenant}` : `principal:${principal}`;
  const fact = { tenant, atMs: parts.nowMs(), actor: SYSTEM, subject, outcome: "refused" } as const;
  const details = { reason, ...(principal === undefined ? {} : { principal }) };
  const database = parts.database.forTenant(tenant);
  return database.transaction((tx) => appendAudit(tx, { ...fact, action: "session.refuse", details }));
}

function from({ address }: Visitor): Throttled {
  return { kind: "address", value: address };
}

/** How the store knows a one-time code. */
export function codeHash(code: string): Buffer {
  return createHash("sha256").update(code, "utf8").digest();
}
