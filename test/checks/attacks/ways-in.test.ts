import { randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateSigningKey } from "../../../src/core/evidence/signing-key.ts";
import type { Principal } from "../../../src/service/principal.ts";
import { approverOn } from "../../../src/service/testing/approver.ts";
import { RELYING_PARTY, type ServiceFixture, serviceFixture } from "../../../src/service/testing/service-fixture.ts";
import { SoftwareAuthenticator } from "../../../src/service/testing/software-authenticator.ts";
import { linkPrincipal } from "../../../src/store/queries/people.ts";

// Somebody holds a token, a session or a link that is not theirs, or no more theirs, and wants to stay or to become more.

let on: ServiceFixture;
let admin: Principal;
beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
});
afterAll(() => on.close());

const refused = (code: string) => expect.objectContaining({ code });
let addresses = 0;
const visitor = () => ({ address: `192.0.2.${(addresses++ % 250) + 1}` });

/** Registers a passkey by a code, and answers the principal of the session that this began. */
async function enrol(code: string) {
  const key = new SoftwareAuthenticator(RELYING_PARTY.origin);
  const { options } = (await on.service.signIn.enrolmentOptions(visitor(), code)) as {
    options: { challenge: string; user: { id: string } };
  };
  const registration = key.register({ challenge: options.challenge }, options.user.id);
  const { secret } = await on.service.signIn.enrol(visitor(), { code, registration, label: "a device" });
  const person = await on.service.session(secret);
  if (person === undefined) throw new Error("a session began");
  return person;
}

/** Brings in one-time codes by whatever the principal holds. */
async function confirmCodes(by: Principal) {
  const { secret } = await on.call("me.totp.enroll", by);
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  return on.call("me.totp.confirm", by, { body: { code: totp.generate({ timestamp: on.parts.nowMs() }) } });
}

async function registerKey(by: Principal) {
  const key = generateSigningKey(randomBytes);
  return on.call("me.keys.statement", by, { body: { publicKey: key.publicKey.spkiPem, kind: "cosign" } });
}

describe("a token that was narrowed", () => {
  test("does not become all that its person may by way of a passkey", async () => {
    await on.principal("wide", "human", ["admin"]);
    const narrow = await on.principal("wide", "human", ["viewer"]);
    expect(narrow.roles).toEqual(["viewer"]);
    await expect(on.call("me.enroll", narrow)).rejects.toEqual(refused("forbidden"));
    await expect(confirmCodes(narrow)).rejects.toEqual(refused("forbidden"));
    await expect(registerKey(narrow)).rejects.toEqual(refused("forbidden"));
    const whole = await on.principal("wide", "human", ["admin", "viewer"]);
    const { code } = await on.call("me.enroll", whole);
    expect((await enrol(code)).roles).toContain("admin");
  });
});

describe("a code for a passkey that somebody asked for beforehand", () => {
  test("is worth nothing once the person has one-time codes", async () => {
    const thief = await on.principal("early", "human", ["approver"]);
    const { code } = await on.call("me.enroll", thief);
    await confirmCodes(thief);
    await expect(enrol(code)).rejects.toEqual(refused("sign-in-refused"));
  });

  test("does not outlive the reset that was to shut the thief out", async () => {
    const { code } = await on.call("people.invite", admin, { body: { principal: "robbed", roles: ["approver"] } });
    const session = await enrol(code);
    const kept = await on.call("me.enroll", session);
    await on.call("people.reset", admin, { params: { id: "robbed" } });
    await expect(enrol(kept.code)).rejects.toEqual(refused("sign-in-refused"));
    // What the thief's session had under way when it was ended finds nothing to begin anew with.
    await expect(on.call("me.enroll", session)).rejects.toEqual(refused("unauthenticated"));
    await expect(confirmCodes(session)).rejects.toEqual(refused("unauthenticated"));
    await expect(registerKey(session)).rejects.toEqual(refused("unauthenticated"));
  });
});

describe("a person of the identity provider", () => {
  test("is not made up by an administrator's token: it brings in no passkey, code or key", async () => {
    const { token: _, ...linked } = await on.principal("linked", "human", ["approver"]);
    await on.database.transaction((tx) =>
      linkPrincipal(tx, {
        ...{ tenant: "default", issuer: "https://idp.test", subject: "42", principal: "linked", atMs: 0 },
      }),
    );
    const minted = await on.principal("linked", "human", ["approver"]);
    expect(minted.id).toBe(linked.id);
    await expect(on.call("me.enroll", minted)).rejects.toEqual(refused("step-up-required"));
    await expect(confirmCodes(minted)).rejects.toEqual(refused("step-up-required"));
    await expect(registerKey(minted)).rejects.toEqual(refused("step-up-required"));
    await expect(on.principal("linked", "human", ["budget-owner"])).rejects.toEqual(refused("not-acceptable-now"));
  });
});

describe("a token beside a person's factors", () => {
  test("reads what waits, and neither signs, nor codes, nor registers", async () => {
    const { principal } = await approverOn(on, "careful", ["approver"]);
    const stolen = await on.principal("careful", "human", ["approver"]);
    expect(stolen.id).toBe(principal.id);
    await expect(on.call("me.enroll", stolen)).rejects.toEqual(refused("step-up-required"));
    await expect(confirmCodes(stolen)).rejects.toEqual(refused("step-up-required"));
    await expect(on.call("me.totp.remove", stolen, { body: { code: "000000" } })).rejects.toEqual(
      refused("step-up-failed"),
    );
  });
});
