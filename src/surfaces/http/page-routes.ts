import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Context, Hono } from "hono";

/**
 * The plain page of the control plane: files that browsers take as they are, found at the same place from the sources
 * and from the compiled program, which is as deep.
 */
const FOLDER = new URL("../../../page/", import.meta.url);

const FILES = {
  "/": "index.html",
  "/page/page.css": "page.css",
  "/page/main.js": "main.js",
  "/page/api.js": "api.js",
  "/page/dom.js": "dom.js",
  "/page/keys.js": "keys.js",
  "/page/sign-in.js": "sign-in.js",
  "/page/approvals.js": "approvals.js",
  "/page/approval.js": "approval.js",
  "/page/account.js": "account.js",
} as const;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

/** Its own files and its own API, and nothing else: no inline script or style, no frame, no form, no other host. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** Read once, when the first browser asks: a process that serves programs alone need not hold them. */
export function pageRoutes(app: Hono): void {
  const held = new Map<string, { bytes: string; etag: string }>();
  for (const [path, file] of Object.entries(FILES)) {
    app.get(path, (c) => {
      const known = held.get(file) ?? readPageFile(file);
      held.set(file, known);
      const headers = {
        "content-type": TYPES[file.split(".").at(-1) ?? ""] ?? "application/octet-stream",
        "content-security-policy": POLICY,
        "cache-control": "no-cache",
        etag: known.etag,
      };
      if (c.req.header("if-none-match") === known.etag) return c.body(null, 304, headers);
      return c.body(known.bytes, 200, headers);
    });
  }
}

function readPageFile(file: string): { bytes: string; etag: string } {
  const bytes = readFileSync(new URL(file, FOLDER), "utf8");
  return { bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"` };
}

/**
 * Sends the browser on from a page of our own. A redirect would carry on what another site began, and the session's
 * cookie, which was set just now, would not be sent along.
 */
export function pageOfItsOwn(c: Context, to: "/" | `/#${string}`): Response {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Continuum</title><meta http-equiv="refresh" content="0;url=${to}"><p><a href="${to}">Go on</a></p></html>`;
  return c.html(html, 200, { "content-security-policy": "default-src 'none'; frame-ancestors 'none'" });
}
