import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OIDC_CALLBACK_PATH } from "./oidc.ts";
import type { OidcParts } from "./people-parts.ts";
import {
  type Account,
  CLIENT_ID,
  CLIENT_SECRET,
  type LyingProvider,
  lyingProvider,
  type RealProvider,
  realProvider,
} from "./testing/identity-provider.ts";
import { ORIGIN, type PeopleFixture, peopleFixture } from "./testing/people-fixture.ts";

const CALLBACK = ORIGIN + OIDC_CALLBACK_PATH;
const refused = { code: "sign-in-refused" };

function partsOf(issuer: string, more: Partial<OidcParts> = {}): OidcParts {
  return {
    ...{ issuer, clientId: CLIENT_ID, clientSecret: async () => CLIENT_SECRET, algorithm: "RS256" },
    ...{ scope: "openid profile", tenant: "acme", nameClaim: "preferred_username", rolesClaim: "groups" },
    roles: new Map([
      ["leads", ["approver", "budget-owner"]],
      ["ml", ["viewer"]],
    ]),
    ...more,
  };
}

describe("a real identity provider", () => {
  let idp: RealProvider;
  let on: PeopleFixture;
  beforeAll(async () => {
    idp = await realProvider(CALLBACK);
    on = await peopleFixture({ oidc: partsOf(idp.issuer) });
  });
  afterAll(async () => {
    await on?.close();
    await idp?.close();
  });

  async function comeIn(account: Account) {
    idp.signedIn.account = account;
    const { url, state } = await on.signIn.oidcStart(on.visitor());
    return { url: await idp.walk(url), state };
  }
  const signIn = async (account: Account) => on.signIn.oidcFinish(on.visitor(), await comeIn(account));

  test("signs a person in with the roles of their groups, and no others", async () => {
    const signedIn = await signIn({ sub: "u-1", preferred_username: "Ann.Lee", groups: ["leads", "admins"] });
    expect(signedIn).toMatchObject({ tenant: "acme", principal: "ann.lee" });
    const person = await on.person(signedIn.secret);
    expect(person).toMatchObject({ kind: "human", roles: ["approver", "budget-owner"], session: { method: "oidc" } });
  });

  test("takes roles away with the next sign-in, from sessions that are open too", async () => {
    const before = await signIn({ sub: "u-2", preferred_username: "bob", groups: ["leads"] });
    const after = await signIn({ sub: "u-2", preferred_username: "bob", groups: ["ml"] });
    expect(await on.person(before.secret)).toMatchObject({ roles: [] });
    expect(await on.person(after.secret)).toMatchObject({ roles: ["viewer"] });
    await expect(signIn({ sub: "u-2", preferred_username: "bob", groups: [] })).rejects.toMatchObject(refused);
    expect(await on.person(after.secret)).toMatchObject({ roles: [] });
  });

  test("knows people by subject and not by name: a name that is taken opens nobody's account", async () => {
    const { signedIn: local } = await on.enrolled("carol");
    expect(await on.person(local.secret)).toMatchObject({ id: "carol" });
    const stranger = { sub: "u-3", preferred_username: "carol", groups: ["leads"] };
    await expect(signIn(stranger)).rejects.toMatchObject({ message: expect.stringContaining("taken") });
    const first = await signIn({ sub: "u-4", preferred_username: "dora", groups: ["ml"] });
    const renamed = await signIn({ sub: "u-4", preferred_username: "theodora", groups: ["ml"] });
    expect([first.principal, renamed.principal]).toEqual(["dora", "dora"]);
    const second = { sub: "u-5", preferred_username: "dora", groups: ["leads"] };
    await expect(signIn(second)).rejects.toMatchObject(refused);
    const nameless = { sub: "u-6", groups: ["ml"] };
    await expect(signIn(nameless)).rejects.toMatchObject({ message: expect.stringContaining("preferred_username") });
  });

  test("is not invited to a passkey by an admin, and registers one of their own", async () => {
    const signedIn = await signIn({ sub: "u-7", preferred_username: "fay", groups: ["leads"] });
    const admin = await on.by("root");
    const invitation = on.call("people.invite", admin, { body: { principal: "fay", roles: ["admin"] } });
    await expect(invitation).rejects.toMatchObject({ code: "not-acceptable-now" });
    const fay = await on.person(signedIn.secret);
    if (fay === undefined) throw new Error("fay is signed in");
    expect(await on.call("me.enroll", fay, { body: {} })).toMatchObject({ principal: "fay" });
  });

  test("is believed once, in the browser that began, and not later than ten minutes on", async () => {
    const account = { sub: "u-8", preferred_username: "gil", groups: ["ml"] };
    const brought = await comeIn(account);
    const other = await comeIn(account);
    const finish = (what: { url: URL; state: string }) => on.signIn.oidcFinish(on.visitor(), what);
    await expect(finish({ url: brought.url, state: other.state })).rejects.toMatchObject(refused);
    await expect(finish({ url: other.url, state: "guessed" })).rejects.toMatchObject(refused);
    await finish(brought);
    await expect(finish(brought)).rejects.toMatchObject(refused);
    const late = await comeIn(account);
    on.clock.offsetMs = 11 * 60_000;
    await expect(finish(late)).rejects.toMatchObject(refused);
    on.clock.offsetMs = 0;
    const forged = await comeIn(account);
    forged.url.searchParams.set("code", "guessed");
    await expect(finish(forged)).rejects.toMatchObject(refused);
    const mixed = await comeIn(account);
    mixed.url.searchParams.set("iss", "https://evil.test");
    await expect(finish(mixed)).rejects.toMatchObject(refused);
    const denied = await comeIn(account);
    denied.url.searchParams.delete("code");
    denied.url.searchParams.set("error", "access_denied");
    await expect(finish(denied)).rejects.toMatchObject(refused);
  });
});

describe("what an identity provider says", () => {
  let idp: LyingProvider;
  let on: PeopleFixture;
  beforeAll(async () => {
    idp = await lyingProvider();
    on = await peopleFixture({ oidc: partsOf(idp.issuer) });
  });
  afterAll(async () => {
    await on?.close();
    await idp?.close();
  });

  async function signIn(lie: Partial<LyingProvider["says"]["claims"]>, how: LyingProvider["says"]["how"] = "signed") {
    const { url, state } = await on.signIn.oidcStart(on.visitor());
    const nonce = new URL(url).searchParams.get("nonce");
    const seconds = Math.floor(Date.now() / 1000);
    const times = { iat: seconds, exp: seconds + 300 };
    const good = { iss: idp.issuer, aud: CLIENT_ID, sub: "u-9", nonce, preferred_username: "hal", groups: ["ml"] };
    idp.says.claims = { ...good, ...times, ...lie };
    idp.says.how = how;
    return on.signIn.oidcFinish(on.visitor(), { url: new URL(`${CALLBACK}?code=c&state=${state}`), state });
  }

  test("counts when it is for us, of now, and signed as it was agreed", async () => {
    expect(await signIn({})).toMatchObject({ principal: "hal" });
    expect(await signIn({ tenant: "other", groups: ["ml"] })).toMatchObject({ tenant: "acme" });
  });

  const past = Math.floor(Date.now() / 1000) - 3600;
  test.each<[string, Record<string, unknown>, LyingProvider["says"]["how"]]>([
    ["it is for another client", { aud: "somebody-else" }, "signed"],
    ["it is for several, and was given to another", { aud: [CLIENT_ID, "x"], azp: "x" }, "signed"],
    ["another issuer says it", { iss: "https://evil.test" }, "signed"],
    ["it answers another question", { nonce: "another" }, "signed"],
    ["it answers no question", { nonce: undefined }, "signed"],
    ["it is over", { iat: past, exp: past + 60 }, "signed"],
    ["it names nobody", { sub: undefined }, "signed"],
    ["another key signed it", {}, "other-key"],
    ["nobody signed it", {}, "none"],
    ["it is signed by what the client knows itself", {}, "client-secret"],
  ])("is refused when %s", async (_, claims, how) => {
    await expect(signIn(claims, how)).rejects.toMatchObject(refused);
    await on.database.query("DELETE FROM sign_in_failures");
  });
});

test("a provider that cannot be reached is an outage, and nobody's failed attempt", async () => {
  const idp = await lyingProvider();
  await idp.close();
  const on = await peopleFixture({ oidc: partsOf(idp.issuer) });
  await expect(on.signIn.oidcStart(on.visitor())).rejects.toMatchObject({ code: "oidc-unreachable", retryable: true });
  expect((await on.database.query("SELECT FROM sign_in_failures")).rowCount).toBe(0);
  await on.close();
});
