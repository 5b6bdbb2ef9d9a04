import { randomBytes } from "node:crypto";
import type * as OpenIdClient from "openid-client";
import { ContinuumError } from "../core/error.ts";
import { appendAudit } from "../engine/audit-log.ts";
import type { Database, Transaction } from "../store/database.ts";
import {
  insertChallenge,
  linkedPrincipal,
  linkPrincipal,
  setPersonRoles,
  takeChallenge,
} from "../store/queries/people.ts";
import { readPrincipal, upsertPrincipal } from "../store/queries/principals.ts";
import { challengeHash, relyingPartyOf } from "./passkeys.ts";
import type { OidcParts, PeopleParts } from "./people-parts.ts";
import { refuse } from "./refusal.ts";

const STARTED_MS = 10 * 60_000;
/** Where the identity provider sends browsers back to; it must be registered there exactly so. */
export const OIDC_CALLBACK_PATH = "/v1/sign-in/oidc/callback";
const TIMEOUT_SECONDS = 10;

export type OidcErrorCode = "oidc-unreachable";

export interface OidcSignIn {
  available(): boolean;
  /** Where to send the browser, and what it must keep until it comes back. */
  start(): Promise<{ url: string; state: string }>;
  finish(brought: { url: URL; state: string }): Promise<OidcVerdict>;
}

export type OidcVerdict =
  | { ok: true; tenant: string; principal: string; roles: string[] }
  | { ok: false; tenant: string; reason: string; message: string };

interface OidcNeeds {
  database: Database;
  people?: PeopleParts;
  nowMs(): number;
}

/** OpenID Connect: authorization code with PKCE, state and nonce; issuer, audience and algorithm fixed by the settings. */
export function createOidc(parts: OidcNeeds): OidcSignIn {
  const provider = new Provider(parts.people);
  return {
    available: () => parts.people?.oidc !== undefined,
    start: () => start(parts, provider),
    finish: (brought) => finish(parts, provider, brought),
  };
}

/** The provider's own description is read when it is first needed, and again after it could not be. */
class Provider {
  readonly #people: PeopleParts | undefined;
  #known: Promise<Known> | undefined;

  constructor(people: PeopleParts | undefined) {
    this.#people = people;
  }

  get settings(): OidcParts {
    return this.#people?.oidc ?? refuse("sign-in-unavailable", "No identity provider is set up here; see oidc.issuer.");
  }

  known(): Promise<Known> {
    this.#known ??= discover(this.settings).catch((cause: unknown) => {
      this.#known = undefined;
      const message = "the identity provider of oidc.issuer cannot be reached, or does not describe itself";
      throw new ContinuumError<OidcErrorCode>("oidc-unreachable", message, { cause, retryable: true });
    });
    return this.#known;
  }
}

interface Known {
  client: typeof OpenIdClient;
  configuration: OpenIdClient.Configuration;
}

async function discover(settings: OidcParts): Promise<Known> {
  const client = await import("openid-client");
  const secret = await settings.clientSecret();
  const issuer = new URL(settings.issuer);
  const configuration = await client.discovery(
    issuer,
    settings.clientId,
    { id_token_signed_response_alg: settings.algorithm },
    secret === undefined ? client.None() : client.ClientSecretBasic(secret),
    { timeout: TIMEOUT_SECONDS, ...(issuer.protocol === "http:" ? { execute: [client.allowInsecureRequests] } : {}) },
  );
  // Without this an ID token would be believed because of the connection it came over, whoever signed it.
  client.enableNonRepudiationChecks(configuration);
  return { client, configuration };
}

async function start(parts: OidcNeeds, provider: Provider): Promise<{ url: string; state: string }> {
  const { origin } = relyingPartyOf(parts);
  const { scope } = provider.settings;
  const { client, configuration } = await provider.known();
  const state = randomBytes(32).toString("base64url");
  const nonce = client.randomNonce();
  const verifier = client.randomPKCECodeVerifier();
  const nowMs = parts.nowMs();
  const times = { nowMs, expiresAtMs: nowMs + STARTED_MS };
  const hash = challengeHash(Buffer.from(state));
  await insertChallenge(parts.database, { hash, purpose: "oidc", details: { nonce, verifier }, ...times });
  const url = client.buildAuthorizationUrl(configuration, {
    ...{ redirect_uri: origin + OIDC_CALLBACK_PATH, scope, state, nonce },
    ...{ code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" },
  });
  return { url: url.href, state };
}

async function finish(
  parts: OidcNeeds,
  provider: Provider,
  { url, state }: { url: URL; state: string },
): Promise<OidcVerdict> {
  const { origin } = relyingPartyOf(parts);
  const { tenant } = provider.settings;
  const no = (reason: string, message: string) => ({ ok: false, tenant, reason, message }) as const;
  const started = await takeChallenge(parts.database, {
    ...{ hash: challengeHash(Buffer.from(state)), purpose: "oidc", nowMs: parts.nowMs() },
  });
  if (started === undefined)
    return no("oidc-not-started", "This sign-in was not begun here, or took too long: begin again.");
  const { client, configuration } = await provider.known();
  const here = new URL(`${origin}${OIDC_CALLBACK_PATH}${url.search}`);
  let claims: Record<string, unknown> | undefined;
  try {
    const tokens = await client.authorizationCodeGrant(configuration, here, {
      ...{ expectedState: state, expectedNonce: String(started["nonce"]), idTokenExpected: true },
      pkceCodeVerifier: String(started["verifier"]),
    });
    claims = tokens.claims();
  } catch (error) {
    if (isOutage(error)) throw unreachable(error);
    return no("oidc-refused", "The identity provider did not confirm who you are.");
  }
  return claims === undefined
    ? no("oidc-refused", "The identity provider did not say who you are.")
    : admit(parts, provider.settings, claims);
}

function unreachable(cause: unknown): ContinuumError<OidcErrorCode> {
  return new ContinuumError("oidc-unreachable", "the identity provider cannot be reached", { cause, retryable: true });
}

/** A connection that failed or timed out says nothing of the person. */
function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "TimeoutError" || (error instanceof TypeError && error.message === "fetch failed");
}

async function admit(parts: OidcNeeds, settings: OidcParts, claims: Record<string, unknown>): Promise<OidcVerdict> {
  const { tenant, issuer } = settings;
  const no = (reason: string, message: string) => ({ ok: false, tenant, reason, message }) as const;
  const subject = claims["sub"];
  if (typeof subject !== "string") return no("oidc-refused", "The identity provider did not say who you are.");
  const roles = rolesFrom(settings, claims[settings.rolesClaim]);
  const name = principalName(claims[settings.nameClaim]);
  return parts.database.forTenant(tenant).transaction(async (tx) => {
    const linked = await linkedPrincipal(tx, { tenant, issuer, subject });
    // What the provider no longer says is gone at once, also from sessions that are open elsewhere.
    if (linked !== undefined) await setPersonRoles(tx, { tenant, id: linked, roles });
    if (roles.length === 0)
      return no("oidc-no-role", "Your organisation gives you no role here: ask whoever keeps it.");
    if (linked !== undefined) return { ok: true, tenant, principal: linked, roles };
    if (name === undefined)
      return no("oidc-no-name", `The claim ${settings.nameClaim} gives no name that can be used here.`);
    return firstVisit(tx, parts, { tenant, issuer, subject, name, roles });
  });
}

async function firstVisit(
  tx: Transaction,
  parts: OidcNeeds,
  who: { tenant: string; issuer: string; subject: string; name: string; roles: string[] },
): Promise<OidcVerdict> {
  const { tenant, issuer, subject, name, roles } = who;
  // A name that is taken belongs to somebody else: a provider's claim must never open their account.
  if ((await readPrincipal(tx, tenant, name)) !== undefined) {
    return {
      ok: false,
      tenant,
      reason: "oidc-name-taken",
      message: `The name ${name} is taken here by somebody else.`,
    };
  }
  await upsertPrincipal(tx, { tenant, id: name, kind: "human", owner: null, roles });
  await linkPrincipal(tx, { tenant, issuer, subject, principal: name, atMs: parts.nowMs() });
  const actor = { id: name, kind: "human" } as const;
  const fact = { tenant, atMs: parts.nowMs(), actor, subject: `principal:${name}`, outcome: "accepted" } as const;
  await appendAudit(tx, { ...fact, action: "person.link", details: { principal: name, roles } });
  return { ok: true, tenant, principal: name, roles };
}

function rolesFrom({ roles }: OidcParts, claim: unknown): string[] {
  const values = Array.isArray(claim) ? claim : [claim];
  const given = values.flatMap((value) => (typeof value === "string" ? (roles.get(value) ?? []) : []));
  return [...new Set(given)].toSorted();
}

/** What a claim says, in the form that names have here; undefined when nothing is left of it. */
function principalName(claim: unknown): string | undefined {
  if (typeof claim !== "string") return undefined;
  const name = claim
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 63);
  return name === "" ? undefined : name;
}
