import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { Refusal } from "../../service/refusal.ts";

/** The prefix makes browsers hold it to this host, to TLS and to all of its paths; localhost counts as TLS. */
export const SESSION = "__Host-continuum-session";
const OIDC_STATE = "__Host-continuum-oidc";
const OIDC_SECONDS = 600;
/** A header that no form and no other site's page can set without being asked first, which is never granted. */
export const CSRF_HEADER = "x-continuum-csrf";

const held = { path: "/", secure: true, httpOnly: true } as const;

export function sessionOf(c: Context): string | undefined {
  return getCookie(c, SESSION);
}

export function giveSession(c: Context, session: { secret: string; expiresAtMs: number; nowMs: number }): void {
  const maxAge = Math.max(1, Math.floor((session.expiresAtMs - session.nowMs) / 1000));
  setCookie(c, SESSION, session.secret, { ...held, sameSite: "Strict", maxAge });
}

export function takeSession(c: Context): void {
  deleteCookie(c, SESSION, { ...held, sameSite: "Strict" });
}

/** The way back from an identity provider begins at another site, where a strict cookie would stay at home. */
export function giveOidcState(c: Context, state: string): void {
  setCookie(c, OIDC_STATE, state, { ...held, sameSite: "Lax", maxAge: OIDC_SECONDS });
}

export function takeOidcState(c: Context): string | undefined {
  const state = getCookie(c, OIDC_STATE);
  deleteCookie(c, OIDC_STATE, { ...held, sameSite: "Lax" });
  return state;
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
