import type { Context } from "hono";

/** What every answer carries: an answer of an API is no page, is shown in no frame and is taken for nothing else. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy":
    "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), geolocation=(), microphone=()",
};

/** Two years, for this host alone: what is beside or below it may be somebody else's. */
const STRICT_TRANSPORT = "max-age=63072000";

/** Adds what the answer does not say itself: a page has a policy of its own. */
export function addSecurityHeaders(c: Context, options: { strictTransport?: boolean } = {}): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
    if (!c.res.headers.has(name)) c.header(name, value);
  }
  if (options.strictTransport === true) c.header("strict-transport-security", STRICT_TRANSPORT);
}
