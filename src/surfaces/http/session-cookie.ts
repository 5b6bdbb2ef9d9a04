import type { Context } from "hono";
import { Refusal } from "../../service/refusal.ts";

/** The prefix makes browsers hold it to this host, to TLS and to all of its paths; localhost counts as TLS. */
export const SESSION = "__Host-continuum-session";
const OIDC_STATE = "__Host-continuum-oidc";
const OIDC_SECONDS = 600;
/** A header that no form and no other site's page can set without being asked first, which is never granted. */
export const CSRF_HEADER = "x-continuum-csrf";

/** The prefix asks for `Secure`, `Path=/` and no `Domain`, and browsers refuse the cookie without. */
const HELD = "Path=/; HttpOnly; Secure";

export function sessionOf(c: Context): string | undefined {
  return cookieOf(c, SESSION);
}

export function giveSession(c: Context, session: { secret: string; expiresAtMs: number; nowMs: number }): void {
  const seconds = Math.max(1, Math.floor((session.expiresAtMs - session.nowMs) / 1000));
  setCookie(c, `${SESSION}=${session.secret}; Max-Age=${seconds}; ${HELD}; SameSite=Strict`);
}

export function takeSession(c: Context): void {
  setCookie(c, `${SESSION}=; Max-Age=0; ${HELD}; SameSite=Strict`);
}

/** The way back from an identity provider begins at another site, where a strict cookie would stay at home. */
export function giveOidcState(c: Context, state: string): void {
  setCookie(c, `${OIDC_STATE}=${state}; Max-Age=${OIDC_SECONDS}; ${HELD}; SameSite=Lax`);
}

export function takeOidcState(c: Context): string | undefined {
  const state = cookieOf(c, OIDC_STATE);
  setCookie(c, `${OIDC_STATE}=; Max-Age=0; ${HELD}; SameSite=Lax`);
  return state;
}

function setCookie(c: Context, cookie: string): void {
  c.header("set-cookie", cookie, { append: true });
}

/** What we gave holds nothing that would have to be quoted. Of two of one name, which cannot be, neither counts. */
function cookieOf(c: Context, name: string): string | undefined {
  const pairs = (c.req.header("cookie") ?? "").split(";").map((pair) => pair.trim());
  const [value, ...more] = pairs
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return more.length === 0 && value !== "" ? value : undefined;
}

/**
 * A browser sends its cookie whoever made it send something, so that it was one of our own pages must show otherwise.
 * What only reads is kept from other sites by their lacking any right to see the answer. Errors: `forbidden`.
 */
export function requireOwnPage(c: Context, origin: string | null): void {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none") throw foreign("another site");
  if (c.req.method === "GET" || c.req.method === "HEAD") return;
  if (c.req.header(CSRF_HEADER) !== "1") throw foreign(`a page that did not send ${CSRF_HEADER}: 1`);
  requireOrigin(c, origin);
}

/** Errors: `forbidden`. */
export function requireOrigin(c: Context, origin: string | null): void {
  if (origin === null || c.req.header("origin") !== origin) {
    throw foreign(`an origin that is not ${origin ?? "known here: set publicUrl"}`);
  }
}

function foreign(what: string): Refusal {
  return new Refusal(
    "forbidden",
    `The request comes from ${what}; a browser's session counts for our own pages alone.`,
  );
}
