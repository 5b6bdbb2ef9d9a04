import { createHash, randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removePasskeys } from "../store/queries/passkeys.ts";
import { settleRestored } from "../store/queries/restored-work.ts";
import { confirmTotp, storePendingTotp } from "../store/queries/totp.ts";
import { verifyPasskeyStepUp } from "./passkeys.ts";
import { sealTotp } from "./step-up.ts";
import { ORIGIN, type PeopleFixture, peopleFixture, type RegistrationOptions } from "./testing/people-fixture.ts";
import { type Ceremony, SoftwareAuthenticator } from "./testing/software-authenticator.ts";

let on: PeopleFixture;
beforeAll(async () => {
  on = await peopleFixture();
});
afterAll(() => on?.close());

const minutes = (count: number) => count * 60_000;
const challengeOf = async () => ((await on.signIn.passkeyOptions(on.visitor())) as { challenge: string }).challenge;
const refused = { code: "sign-in-refused" };

async function actions(subject: string): Promise<string[]> {
  const { rows } = await on.database.query<{ entry: Buffer }>("SELECT entry FROM audit_entries ORDER BY id");
  const entries = rows.map(({ entry }) => JSON.parse(entry.toString("utf8")) as { action: string; details: object });
  return entries.filter((one) => JSON.stringify(one).includes(`"${subject}"`)).map(({ action }) => action);
}

describe("a person who was invited", () => {
  test("registers a passkey once, is signed in by it, and signs in by it again", async () => {
    const { key, signedIn } = await on.enrolled("ann");
    expect(signedIn).toMatchObject({ tenant: "acme", principal: "ann" });
    const person = await on.person(signedIn.secret);
    expect(person).toMatchObject({ tenant: "acme", id: "ann", kind: "human", roles: ["approver"] });
    expect(person?.session).toMatchObject({ method: "passkey" });
    const again = await on.withPasskey(key);
    expect(again.secret).not.toBe(signedIn.secret);
    expect(await on.person(again.secret)).toMatchObject({ id: "ann" });
    expect(await actions("ann")).toEqual(["person.invite", "passkey.add", "session.begin", "session.begin"]);
  });

  test("has a code that is good for one passkey, and for one while", async () => {
    const admin = await on.by("root");
    const body = { principal: "bea", roles: ["viewer"], expiresInSeconds: 60 };
    const first = await on.call("people.invite", admin, { body });
    expect(first.link).toBe(`${ORIGIN}/#enroll=${first.code}`);
    const second = await on.call("people.invite", admin, { body });
    const key = () => new SoftwareAuthenticator(ORIGIN);
    await expect(on.enrol(first.code, key())).rejects.toMatchObject(refused);
    on.clock.offsetMs = 61_000;
    await expect(on.enrol(second.code, key())).rejects.toMatchObject(refused);
    on.clock.offsetMs = 0;
    await on.enrol(second.code, key());
    await expect(on.enrol(second.code, key())).rejects.toMatchObject(refused);
    await expect(on.enrol("cte_nonsense", key())).rejects.toMatchObject(refused);
    await expect(on.call("people.invite", admin, { body })).rejects.toMatchObject({ code: "not-acceptable-now" });
  });

  test("keeps the code when the authenticator did not verify its user, or was asked by another site", async () => {
    const admin = await on.by("root");
    const body = { principal: "cay", roles: ["viewer"] };
    const { code } = await on.call("people.invite", admin, { body });
    const wrong: Partial<Ceremony>[] = [
      { userVerified: false },
      { origin: "https://continuum.example.evil.test" },
      { rpId: "evil.test" },
      { type: "webauthn.get" },
      { crossOrigin: true },
    ];
    for (const how of wrong) {
      const key = new SoftwareAuthenticator(ORIGIN);
      const { options } = (await on.signIn.enrolmentOptions(on.visitor(), code)) as { options: RegistrationOptions };
      const registration = key.register({ challenge: options.challenge, ...how }, options.user.id);
      const brought = { code, registration, label: "x" };
      await expect(on.signIn.enrol(on.visitor(), brought), JSON.stringify(how)).rejects.toMatchObject(refused);
    }
    await on.enrol(code, new SoftwareAuthenticator(ORIGIN));
  });

  test("cannot bring a challenge that another's code was given, nor a passkey that is registered already", async () => {
    const admin = await on.by("root");
    const invite = (principal: string) => on.call("people.invite", admin, { body: { principal, roles: ["viewer"] } });
    const [dan, eve] = [await invite("dan"), await invite("eve")];
    const key = new SoftwareAuthenticator(ORIGIN);
    const optionsFor = async (code: string) =>
      ((await on.signIn.enrolmentOptions(on.visitor(), code)) as { options: RegistrationOptions }).options;
    const { challenge, user } = await optionsFor(dan.code);
    const registration = key.register({ challenge }, user.id);
    const stolen = on.signIn.enrol(on.visitor(), { code: eve.code, registration, label: "x" });
    await expect(stolen).rejects.toMatchObject(refused);
    await on.enrol(dan.code, key);
    await expect(on.enrol(eve.code, key)).rejects.toMatchObject(refused);
  });
});

describe("a passkey's answer", () => {
  test("is taken once: the challenge is used up, whoever was asked", async () => {
    const { key } = await on.enrolled("fay");
    const answer = key.answer({ challenge: await challengeOf() });
    await on.signIn.passkey(on.visitor(), answer);
    await expect(on.signIn.passkey(on.visitor(), answer)).rejects.toMatchObject(refused);
  });

  test("is refused when it is for something else, from somewhere else, late, unverified or counted back", async () => {
    const { key } = await on.enrolled("gil");
    const wrong: (Partial<Ceremony> | "late" | "back" | "forged" | "other-handle")[] = [
      { challenge: randomBytes(32).toString("base64url") },
      { origin: "https://evil.test" },
      { origin: "http://continuum.example" },
      { rpId: "evil.test" },
      { userVerified: false },
      { type: "webauthn.create" },
      { crossOrigin: true },
      ...(["late", "back", "forged", "other-handle"] as const),
    ];
    await on.withPasskey(key);
    for (const how of wrong) {
      const challenge = await challengeOf();
      const counted = key.counter;
      if (how === "back") key.counter = 0;
      const answer = key.answer({ challenge, ...(typeof how === "string" ? {} : how) });
      if (how === "back") key.counter = counted;
      if (how === "forged") answer.response.signature = randomBytes(70).toString("base64url");
      if (how === "other-handle") answer.response.userHandle = randomBytes(32).toString("base64url");
      if (how === "late") on.clock.offsetMs = minutes(6);
      const trial = on.signIn.passkey(on.visitor(), answer);
      await expect(trial, JSON.stringify(how)).rejects.toMatchObject({ code: /sign-in-refused|too-many-requests/ });
      on.clock.offsetMs = 0;
      await on.database.query("DELETE FROM sign_in_failures");
    }
    expect((await actions("gil")).filter((action) => action === "session.refuse").length).toBeGreaterThan(5);
    await on.withPasskey(key);
  });

  test("steps up for exactly one challenge, of the same person and tenant", async () => {
    const { key } = await on.enrolled("hal");
    const { key: others } = await on.enrolled("ida");
    const challenge = createHash("sha256").update("the envelope").digest();
    const verify = (response: unknown, asked: { tenant?: string; principal?: string; challenge?: Buffer } = {}) => {
      const { tenant = "acme", principal = "hal" } = asked;
      const database = on.parts.database.forTenant(tenant);
      return database.transaction((tx) =>
        verifyPasskeyStepUp(tx, on.parts, { tenant, principal, challenge: asked.challenge ?? challenge, response }),
      );
    };
    const text = challenge.toString("base64url");
    expect(await verify(key.answer({ challenge: text }))).toMatchObject({ ok: true });
    const no = async (response: unknown, asked = {}) => {
      const verdict = await verify(response, asked);
      return verdict.ok ? "ok" : verdict.reason;
    };
    expect(await no(others.answer({ challenge: text }))).toBe("other-person");
    expect(await no(key.answer({ challenge: text }), { tenant: "other" })).toBe("unknown-passkey");
    expect(await no(key.answer({ challenge: text }), { challenge: randomBytes(32) })).toBe("not-verified");
    expect(await no(key.answer({ challenge: text, userVerified: false }))).toBe("not-verified");
    expect(await no(key.answer({ challenge: text, origin: "https://evil.test" }))).toBe("not-verified");
    expect(await no({})).toBe("not-verified");
    await on.database.transaction((tx) => removePasskeys(tx, { tenant: "acme", principal: "hal", atMs: Date.now() }));
    expect(await no(key.answer({ challenge: text }))).toBe("unknown-passkey");
  });

  test("two at the same moment count the counter once", async () => {
    const { key } = await on.enrolled("joy");
    const [one, two] = [await challengeOf(), await challengeOf()];
    const first = key.answer({ challenge: one });
    key.counter -= 1;
    const second = key.answer({ challenge: two });
    const ended = await Promise.allSettled([first, second].map((answer) => on.signIn.passkey(on.visitor(), answer)));
    expect(ended.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });
});

describe("a session", () => {
  test("ends when it rests too long, and when it is old however busy it was", async () => {
    const { signedIn } = await on.enrolled("kim");
    for (const at of [29, 58, 87]) {
      on.clock.offsetMs = minutes(at);
      expect(await on.person(signedIn.secret), String(at)).toBeDefined();
    }
    on.clock.offsetMs = minutes(87 + 31);
    expect(await on.person(signedIn.secret)).toBeUndefined();
    on.clock.offsetMs = 0;
    const { signedIn: busy } = await on.enrolled("lea");
    for (let at = 25; at < 12 * 60; at += 25) {
      on.clock.offsetMs = minutes(at);
      expect(await on.person(busy.secret), String(at)).toBeDefined();
    }
    on.clock.offsetMs = minutes(12 * 60 + 1);
    expect(await on.person(busy.secret)).toBeUndefined();
    on.clock.offsetMs = 0;
  });

  test("is another one after signing in, and the one that the browser brought is over", async () => {
    const { key, signedIn } = await on.enrolled("max");
    const challenge = await challengeOf();
    const next = await on.signIn.passkey(on.visitor(signedIn.secret), key.answer({ challenge }));
    expect(await on.person(signedIn.secret)).toBeUndefined();
    expect(await on.person(next.secret)).toBeDefined();
    await on.signIn.signOut(next.secret);
    expect(await on.person(next.secret)).toBeUndefined();
    await on.signIn.signOut("cts_nonsense");
  });

  test("is listed and ended by its own person alone", async () => {
    const { key, signedIn } = await on.enrolled("ned");
    const { signedIn: other } = await on.enrolled("ola");
    const ned = await on.person(signedIn.secret);
    const ola = await on.person(other.secret);
    if (ned === undefined || ola === undefined) throw new Error("both are signed in");
    await on.withPasskey(key);
    const { items } = await on.call("me.sessions.list", ned);
    expect(items.map(({ current }) => current).toSorted()).toEqual([false, true]);
    const id = items.find(({ current }) => !current)?.id;
    await expect(on.call("me.sessions.end", ola, { params: { id } })).rejects.toMatchObject({ code: "not-found" });
    expect(await on.call("me.sessions.end", ned, { params: { id } })).toEqual({ ended: true });
    await expect(on.call("me.sessions.end", ned, { params: { id } })).rejects.toMatchObject({ code: "not-found" });
    expect((await on.call("me.sessions.list", ned)).items).toHaveLength(1);
  });

  test("may no more than its person still may, from the next request on", async () => {
    const { signedIn } = await on.enrolled("pam");
    await on.database.query("UPDATE principals SET roles = '{viewer}' WHERE tenant = 'acme' AND id = 'pam'");
    expect(await on.person(signedIn.secret)).toMatchObject({ roles: [] });
  });

  test("does not come back with a backup: what was ended since must stay ended", async () => {
    const { key, signedIn } = await on.enrolled("rob");
    const open = await on.call("me.enroll", await on.by("new", { roles: ["viewer"] }), { body: {} });
    await on.database.transaction((tx) => settleRestored(tx, Date.now()));
    expect(await on.person(signedIn.secret)).toBeUndefined();
    await expect(on.enrol(open.code, new SoftwareAuthenticator(ORIGIN))).rejects.toMatchObject(refused);
    expect(await on.person((await on.withPasskey(key)).secret)).toMatchObject({ id: "rob" });
  });

  test("lies in the database as a hash alone", async () => {
    const { signedIn } = await on.enrolled("quy");
    const { rows } = await on.database.query("SELECT s::text AS row FROM sessions s");
    expect(JSON.stringify(rows)).not.toContain(signedIn.secret);
  });
});

describe("a further passkey", () => {
  test("is registered after a fresh sign-in by a passkey, and not by a token or an old session", async () => {
    const { signedIn } = await on.enrolled("ray");
    const token = await on.by("ray", { roles: ["approver"] });
    const body = {};
    await expect(on.call("me.enroll", token, { body })).rejects.toMatchObject({ code: "step-up-required" });
    const fresh = await on.person(signedIn.secret);
    if (fresh === undefined) throw new Error("ray is signed in");
    const { code } = await on.call("me.enroll", fresh, { body });
    const { options } = (await on.signIn.enrolmentOptions(on.visitor(), code)) as { options: RegistrationOptions };
    expect(options.excludeCredentials).toHaveLength(1);
    await on.enrol(code, new SoftwareAuthenticator(ORIGIN));
    const own = (await on.call("me.passkeys.list", fresh)).items;
    expect(own).toHaveLength(2);
    on.clock.offsetMs = minutes(11);
    const params = { id: own[0]?.id };
    const old = await on.person(signedIn.secret);
    if (old === undefined) throw new Error("ray is still signed in");
    await expect(on.call("me.passkeys.remove", old, { params })).rejects.toMatchObject({ code: "step-up-required" });
    on.clock.offsetMs = 0;
    expect(await on.call("me.passkeys.remove", fresh, { params })).toEqual({ removed: true });
    const last = { id: own[1]?.id };
    await expect(on.call("me.passkeys.remove", fresh, { params: last })).rejects.toMatchObject({
      code: "not-acceptable-now",
    });
  });

  test("is not needed for the first: whoever has a token alone may register one", async () => {
    const token = await on.by("sam", { roles: ["approver"] });
    const { code } = await on.call("me.enroll", token, { body: {} });
    expect(await on.enrol(code, new SoftwareAuthenticator(ORIGIN))).toMatchObject({ principal: "sam" });
  });

  test("needs a one-time code of whoever has those: a token alone must not bring in another factor", async () => {
    const token = await on.by("una", { roles: ["approver"] });
    const person = { tenant: "acme", principal: "una" };
    const secret = Buffer.alloc(20, 7);
    const pending = { sealed: sealTotp(Buffer.alloc(32, 1), person, secret), nonce: "n", untilMs: Date.now() + 60_000 };
    await on.database.transaction(async (tx) => {
      await storePendingTotp(tx, { ...person, ...pending });
      await confirmTotp(tx, { ...person, step: 0, atMs: Date.now() });
    });
    await expect(on.call("me.enroll", token, { body: {} })).rejects.toMatchObject({ code: "step-up-required" });
    const wrong = on.call("me.enroll", token, { body: { totpCode: "000000" } });
    await expect(wrong).rejects.toMatchObject({ code: "step-up-failed" });
    const admin = await on.by("root");
    const invitation = on.call("people.invite", admin, { body: { principal: "una", roles: ["viewer"] } });
    await expect(invitation).rejects.toMatchObject({ code: "not-acceptable-now" });
    const totpCode = new TOTP({ secret: new Secret({ buffer: new Uint8Array(secret).buffer }) }).generate();
    expect(await on.call("me.enroll", token, { body: { totpCode } })).toMatchObject({ principal: "una" });
    expect(await on.call("people.reset", admin, { params: { id: "una" } })).toMatchObject({ totp: true });
  });

  test("follows a reset by an admin, who ends what was open", async () => {
    const { key, signedIn } = await on.enrolled("tom");
    const admin = await on.by("root");
    const params = { id: "tom" };
    expect(await on.call("people.reset", admin, { params })).toEqual({ passkeys: 1, sessions: 1, totp: false });
    expect(await on.person(signedIn.secret)).toBeUndefined();
    await expect(on.withPasskey(key)).rejects.toMatchObject(refused);
    await expect(on.call("people.reset", admin, { params })).rejects.toMatchObject({ code: "not-found" });
    await on.call("people.invite", admin, { body: { principal: "tom", roles: ["viewer"] } });
  });
});

describe("people of another tenant", () => {
  test("are neither listed nor reset, and their passkeys open their own tenant", async () => {
    const { signedIn } = await on.enrolled("zoe", { tenant: "other" });
    expect(await on.person(signedIn.secret)).toMatchObject({ tenant: "other", id: "zoe" });
    const admin = await on.by("root");
    const listed = await on.call("people.list", admin, { query: { limit: 200 } });
    expect(listed.items.map(({ id }) => id)).not.toContain("zoe");
    const trial = on.call("people.reset", admin, { params: { id: "zoe" } });
    await expect(trial).rejects.toMatchObject({ code: "not-found" });
    expect(await on.person(signedIn.secret)).toBeDefined();
  });
});

describe("failing again and again", () => {
  test("blocks an address for longer and longer, in every process, and leaves others alone", async () => {
    const attacker = { address: "2001:db8:1:2::5" };
    const neighbour = { address: "2001:db8:1:2:ffff::9" };
    const guess = (visitor: { address: string }) =>
      on.signIn.enrolmentOptions(visitor, `cte_${randomBytes(32).toString("base64url")}`);
    for (let count = 0; count < 11; count += 1) await expect(guess(attacker)).rejects.toMatchObject(refused);
    const blocked = await guess(attacker).catch((error: unknown) => error);
    expect(blocked).toMatchObject({ code: "too-many-requests", details: { retryAfterSeconds: 1 } });
    await expect(guess(neighbour)).rejects.toMatchObject({ code: "too-many-requests" });
    await expect(on.signIn.passkeyOptions(attacker)).rejects.toMatchObject({ code: "too-many-requests" });
    await expect(guess({ address: "2001:db8:1:3::5" })).rejects.toMatchObject(refused);
    on.clock.offsetMs = 1500;
    await expect(guess(attacker)).rejects.toMatchObject(refused);
    const longer = await guess(attacker).catch((error: unknown) => error);
    expect(longer).toMatchObject({ details: { retryAfterSeconds: 2 } });
    on.clock.offsetMs = minutes(120);
    await expect(guess(attacker)).rejects.toMatchObject(refused);
    on.clock.offsetMs = 0;
  });

  test("blocks an account for a short while whatever the address, and a good answer ends that", async () => {
    const { key } = await on.enrolled("vic");
    const forged = async () => {
      const answer = key.answer({ challenge: await challengeOf() });
      answer.response.signature = randomBytes(70).toString("base64url");
      return on.signIn.passkey(on.visitor(), answer);
    };
    for (let count = 0; count < 12; count += 1) {
      await forged().catch(() => undefined);
      on.clock.offsetMs += 90_000;
    }
    for (let count = 0; count < 8; count += 1) await forged().catch(() => undefined);
    const blocked = await on.withPasskey(key).catch((error: unknown) => error as { details: object });
    expect(blocked).toMatchObject({ code: "too-many-requests" });
    on.clock.offsetMs += 61_000;
    await on.withPasskey(key);
    await expect(forged()).rejects.toMatchObject(refused);
    await on.withPasskey(key);
    on.clock.offsetMs = 0;
  });

  test("keeps no address and no name", async () => {
    const { rows } = await on.database.query("SELECT f::text AS row FROM sign_in_failures f");
    expect(JSON.stringify(rows)).not.toMatch(/2001:db8|192\.0\.2|vic/);
    expect(rows.length).toBeGreaterThan(0);
  });
});
