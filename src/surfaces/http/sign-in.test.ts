import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CLIENT_ID, CLIENT_SECRET, type RealProvider, realProvider } from "../../service/testing/identity-provider.ts";
import { RELYING_PARTY } from "../../service/testing/service-fixture.ts";
import { cookieOf, fromOwnPage, signInByPasskey } from "./testing/browser-like.ts";
import { type HttpFixture, httpFixture } from "./testing/http-fixture.ts";

let on: HttpFixture;
beforeAll(async () => {
  on = await httpFixture({ strictTransport: () => true, trustedProxies: "127.0.0.1" });
});
afterAll(() => on?.close());

async function signedIn(principal: string) {
  const { body } = await on.ask("/v1/people", { method: "POST", body: { principal, roles: ["admin"] } });
  return signInByPasskey(on, String(body["code"]));
}

const OWN = { origin: RELYING_PARTY.origin, "x-continuum-csrf": "1", "sec-fetch-site": "same-origin" };

describe("the session's cookie", () => {
  test("is held to this host, TLS and our own pages, and nothing of it stands in an answer or the log", async () => {
    const { answer, cookie } = await signedIn("ann");
    expect(answer.status).toBe(201);
    const [set, ...more] = answer.headers.getSetCookie();
    expect(more).toEqual([]);
    expect(set).toMatch(
      /^__Host-continuum-session=cts_[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    );
    const secret = cookie.split("=")[1] ?? "";
    expect(answer.text).not.toContain(secret);
    expect(JSON.stringify(on.logged)).not.toContain(secret);
  });

  test("counts for our own pages alone", async () => {
    const { cookie } = await signedIn("bea");
    const revoke = (headers: Record<string, string>) =>
      on.ask("/v1/me/enrolments", { method: "POST", token: null, body: {}, headers: { cookie, ...headers } });
    expect((await revoke(OWN)).status).toBe(201);
    const { "x-continuum-csrf": _, ...without } = OWN;
    const foreign: Record<string, string>[] = [
      without,
      { ...OWN, origin: "https://evil.test" },
      { ...OWN, origin: "null" },
      { ...OWN, origin: RELYING_PARTY.origin.replace("https", "http") },
      { ...OWN, "sec-fetch-site": "cross-site" },
      { ...OWN, "sec-fetch-site": "same-site" },
      { "x-continuum-csrf": "1" },
      {},
    ];
    for (const headers of foreign) {
      const { status, body } = await revoke(headers);
      expect([status, body["code"]], JSON.stringify(headers)).toEqual([403, "forbidden"]);
    }
    const read = (headers: Record<string, string>) =>
      on.ask("/v1/principal", { token: null, headers: { cookie, ...headers } });
    expect((await read({})).body).toMatchObject({ id: "bea", kind: "human" });
    expect((await read({ "sec-fetch-site": "cross-site" })).status).toBe(403);
  });

  test("is no help to a token that is wrong, and gone after signing out", async () => {
    const { cookie } = await signedIn("cay");
    const both = await on.ask("/v1/principal", { token: "ctm_wrong", headers: { cookie } });
    expect(both.status).toBe(401);
    const out = await fromOwnPage(on, "/v1/sign-out", undefined, { cookie });
    expect(out.body).toEqual({ signedOut: true });
    expect(out.headers.getSetCookie()[0]).toMatch(/^__Host-continuum-session=; Max-Age=0/);
    const after = await on.ask("/v1/principal", { token: null, headers: { cookie } });
    expect([after.status, after.body["code"]]).toEqual([401, "unauthenticated"]);
  });
});

describe("signing in", () => {
  test("is for our own pages alone: another site must not sign anybody in as somebody else", async () => {
    for (const origin of ["https://evil.test", "null", ""]) {
      const answer = await fromOwnPage(on, "/v1/sign-in/passkey/options", {}, { origin });
      expect([answer.status, answer.body["code"]], origin).toEqual([403, "forbidden"]);
    }
  });

  test("gives another session each time, and ends the one that the browser brought", async () => {
    const { key, cookie } = await signedIn("dan");
    const options = await fromOwnPage(on, "/v1/sign-in/passkey/options", {});
    const answer = key.answer({ challenge: String(options.body["challenge"]) });
    const again = await fromOwnPage(on, "/v1/sign-in/passkey", answer, { cookie });
    expect(again.body).toMatchObject({ tenant: "default", principal: "dan" });
    expect(cookieOf(again)).not.toBe(cookie);
    expect((await on.ask("/v1/principal", { token: null, headers: { cookie } })).status).toBe(401);
  });

  test("refuses what is no answer of an authenticator, in the same words as everything else", async () => {
    const wrong = await fromOwnPage(on, "/v1/sign-in/passkey", { id: "x" });
    expect([wrong.status, wrong.body["code"]]).toEqual([400, "malformed-request"]);
    const { key } = await signedIn("eve");
    const stale = await fromOwnPage(on, "/v1/sign-in/passkey", key.answer({ challenge: "AAAA" }));
    expect([stale.status, stale.body["code"]]).toEqual([401, "sign-in-refused"]);
    expect(stale.headers.getSetCookie()).toEqual([]);
    const large = await fromOwnPage(on, "/v1/sign-in/enrolment", { code: "x".repeat(200_000) });
    expect([large.status, large.body["code"]]).toEqual([413, "too-large"]);
  });

  test("tells an address that asks too much how long to wait, and no other", async () => {
    const from = (address: string) =>
      fromOwnPage(on, "/v1/sign-in/passkey/options", {}, { "x-forwarded-for": `198.51.100.1, ${address}` });
    const seen = [];
    for (let count = 0; count < 90 && seen.at(-1) !== 429; count += 1) seen.push((await from("203.0.113.9")).status);
    const answer = await from("203.0.113.9");
    expect([answer.status, answer.body["code"]]).toEqual([429, "too-many-requests"]);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect((await from("203.0.113.10")).status).toBe(200);
  });

  test("by an identity provider is not offered where none is set up", async () => {
    expect((await on.ask("/v1/sign-in", { token: null })).body).toEqual({
      ...{ passkey: true, oidc: false, origin: RELYING_PARTY.origin },
    });
  });
});

describe("signing in by an identity provider", () => {
  let idp: RealProvider;
  beforeAll(async () => {
    const callback = `${RELYING_PARTY.origin}/v1/sign-in/oidc/callback`;
    idp = await realProvider(callback);
    idp.signedIn.account = { sub: "u-1", preferred_username: "gus", groups: ["leads"] };
    if (on.parts.people === undefined) throw new Error("the fixture lets people in");
    on.parts.people.oidc = {
      ...{ issuer: idp.issuer, clientId: CLIENT_ID, clientSecret: async () => CLIENT_SECRET, algorithm: "RS256" },
      ...{ scope: "openid profile", tenant: "default", nameClaim: "preferred_username", rolesClaim: "groups" },
      roles: new Map([["leads", ["approver"]]]),
    };
  });
  afterAll(() => idp?.close());

  const ask = (path: string, headers: Record<string, string> = {}) =>
    fetch(on.url + path, { redirect: "manual", headers });

  async function begun() {
    const start = await ask("/v1/sign-in/oidc");
    const [state = ""] = start.headers.getSetCookie();
    const back = await idp.walk(start.headers.get("location") ?? "");
    return { start, state, path: back.pathname + back.search };
  }

  test("leads there and back, and sets the session from a page of our own", async () => {
    const { start, state, path } = await begun();
    expect(start.status).toBe(302);
    expect(state).toMatch(/^__Host-continuum-oidc=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    const back = await ask(path, { cookie: state.split(";")[0] ?? "", "sec-fetch-site": "cross-site" });
    expect([back.status, back.headers.get("location")]).toEqual([200, null]);
    expect(await back.text()).toContain('content="0;url=/"');
    const [gone, session = ""] = back.headers.getSetCookie();
    expect(gone).toMatch(/^__Host-continuum-oidc=; Max-Age=0/);
    expect(session).toMatch(/^__Host-continuum-session=cts_.*SameSite=Strict$/);
    const cookie = session.split(";")[0] ?? "";
    expect(await (await ask("/v1/principal", { cookie })).json()).toMatchObject({ id: "gus", roles: ["approver"] });
  });

  test("ends at the sign-in when another browser comes back with the answer, and begins on our own page alone", async () => {
    const { path } = await begun();
    const { state: other } = await begun();
    for (const cookie of ["", other.split(";")[0] ?? ""]) {
      const back = await ask(path, { cookie });
      expect(await back.text()).toContain('content="0;url=/#refused=sign-in-refused"');
      expect(back.headers.getSetCookie().filter((one) => one.includes("cts_"))).toEqual([]);
    }
    expect((await ask("/v1/sign-in/oidc", { "sec-fetch-site": "cross-site" })).status).toBe(403);
  });
});

test("an answer to what is no HTTP carries the same headers", async () => {
  const { port, hostname } = new URL(on.url);
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  const socket = connect(Number(port), hostname, () => socket.write("NONSENSE\r\n\r\n"));
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("close", () => resolve(text));
  expect(await promise).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n(?:.+\r\n)*x-content-type-options: nosniff\r\n/);
});

describe("the page", () => {
  test("is served with a policy that runs its own files alone", async () => {
    const { status, headers, text } = await on.ask("/", { token: null });
    expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
    expect(text).not.toMatch(/<script(?![^>]* src=)|style=| on\w+=/);
    expect(headers.get("strict-transport-security")).toMatch(/^max-age=\d{8}$/);
    for (const [, path = ""] of text.matchAll(/(?:href|src)="(\/[^"]*)"/g)) {
      expect((await on.ask(path, { token: null })).status, path).toBe(200);
    }
  });

  test("holds every file that its scripts import, and tells a browser that has them already", async () => {
    const seen = new Set(["main.js"]);
    for (const file of seen) {
      const { status, text, headers } = await on.ask(`/page/${file}`, { token: null });
      expect([file, status, headers.get("content-type")]).toEqual([file, 200, "text/javascript; charset=utf-8"]);
      for (const [, imported = ""] of text.matchAll(/from "\.\/([^"]+)"/g)) seen.add(imported);
      const etag = headers.get("etag") ?? "";
      expect((await on.ask(`/page/${file}`, { token: null, headers: { "if-none-match": etag } })).status).toBe(304);
    }
    expect(seen.size).toBeGreaterThan(6);
    for (const path of ["/page/", "/page/../app.ts", "/page/%2e%2e/app.ts", "/page/app.ts"]) {
      expect((await on.ask(path, { token: null })).status, path).toBe(404);
    }
  });
});
