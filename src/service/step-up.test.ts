import { randomBytes } from "node:crypto";
import { Secret, TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signPayload } from "../core/approval/testing/consents.ts";
import { generateSigningKey } from "../core/evidence/signing-key.ts";
import type { Principal } from "./principal.ts";
import { type Approver, approverOn, enrollKey } from "./testing/approver.ts";
import { type ServiceFixture, serviceFixture } from "./testing/service-fixture.ts";
import { findTotpStep } from "./totp.ts";

let on: ServiceFixture;
let admin: Principal;
beforeAll(async () => {
  on = await serviceFixture();
  admin = await on.admin();
});
afterAll(() => on.close());

const refused = (code: string, words = "") =>
  expect.objectContaining({ code, message: expect.stringContaining(words) });
const human = (id: string) => on.principal(id, "human", ["approver"]);
const later = (ms: number) => {
  on.clock.offsetMs += ms;
};
const codeOf = (secret: string, atMs = on.parts.nowMs()) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: atMs });
const factors = (by: Principal) => on.call("me.mfa", by);

describe("a code", () => {
  // RFC 6238, appendix B: the SHA-1 rows, of which six digits are the last six.
  const secret = Buffer.from("12345678901234567890");
  test.each([
    [59, "287082"],
    [1111111109, "081804"],
    [1111111111, "050471"],
    [1234567890, "005924"],
    [2000000000, "279037"],
    [20000000000, "353130"],
  ])("of second %i is the RFC's", async (second, code) => {
    const at = { code, nowMs: second * 1000, lastStep: 0 };
    const step = Math.floor(second / 30);
    expect(await findTotpStep(secret, at)).toBe(step);
    expect(await findTotpStep(secret, { ...at, nowMs: at.nowMs + 30_000 })).toBe(step);
    expect(await findTotpStep(secret, { ...at, nowMs: at.nowMs + 60_000 })).toBeUndefined();
    const early = { ...at, nowMs: at.nowMs - 61_000 };
    if (early.nowMs > 0) expect(await findTotpStep(secret, early)).toBeUndefined();
    expect(await findTotpStep(secret, { ...at, lastStep: step })).toBeUndefined();
  });
});

describe("one-time codes", () => {
  test("count when they are confirmed, lie sealed, and are gone by a last one", async () => {
    const eve = await human("eve");
    const { secret, uri } = await on.call("me.totp.enroll", eve);
    expect(uri).toContain("issuer=Continuum");
    expect(await factors(eve)).toEqual({ totp: "pending", totpLockedUntil: null, passkeys: 0, keys: 0 });
    await expect(on.call("me.totp.confirm", eve, { body: { code: "000000" } })).rejects.toEqual(
      refused("step-up-failed"),
    );
    const confirmed = await on.call("me.totp.confirm", eve, { body: { code: codeOf(secret) } });
    expect(confirmed.totp).toBe("confirmed");
    const { rows } = await on.database.query<{ secret: Buffer }>(
      "SELECT secret FROM totp_secrets WHERE principal = 'eve'",
    );
    expect(rows[0]?.secret.includes(Secret.fromBase32(secret).bytes)).toBe(false);
    // The code that confirmed is used up.
    await expect(on.call("me.totp.remove", eve, { body: { code: codeOf(secret) } })).rejects.toEqual(
      refused("step-up-failed"),
    );
    later(30_000);
    expect(await on.call("me.totp.remove", eve, { body: { code: codeOf(secret) } })).toMatchObject({ totp: "none" });
    const { items } = await on.call("audit.list", admin, { query: { subject: "eve" } });
    expect(items.map(({ action }) => action)).toEqual(["totp.confirm", "totp.remove"]);
    expect(JSON.stringify(items)).not.toContain(secret);
  });

  test("are replaced only by who has the ones before: a stolen token makes none of its own", async () => {
    const fay = await human("fay");
    const first = (await on.call("me.totp.enroll", fay)).secret;
    await on.call("me.totp.confirm", fay, { body: { code: codeOf(first) } });
    const second = (await on.call("me.totp.enroll", fay)).secret;
    later(30_000);
    const code = codeOf(second);
    await expect(on.call("me.totp.confirm", fay, { body: { code } })).rejects.toEqual(refused("step-up-required"));
    await expect(on.call("me.totp.confirm", fay, { body: { code, stepUp: { kind: "totp", code } } })).rejects.toEqual(
      refused("step-up-failed"),
    );
    // What was shown and not confirmed changes nothing: the first still counts.
    const stepUp = { kind: "totp" as const, code: codeOf(first) };
    expect(await on.call("me.totp.confirm", fay, { body: { code, stepUp } })).toMatchObject({ totp: "confirmed" });
    later(30_000);
    await expect(on.call("me.totp.remove", fay, { body: { code: codeOf(first) } })).rejects.toEqual(
      refused("step-up-failed"),
    );
  });

  test("that were shown are forgotten when nobody confirms them, and cannot be confirmed twice", async () => {
    const gil = await human("gil");
    await expect(on.call("me.totp.confirm", gil, { body: { code: "123456" } })).rejects.toEqual(
      refused("not-acceptable-now"),
    );
    const { secret } = await on.call("me.totp.enroll", gil);
    later(16 * 60_000);
    await expect(on.call("me.totp.confirm", gil, { body: { code: codeOf(secret) } })).rejects.toEqual(
      refused("not-acceptable-now"),
    );
  });

  test("are locked for a while after five wrong ones, also for the right one, and that is told", async () => {
    const hal = await approverOn(on, "hal", ["approver"]);
    const guess = (code: string) => on.call("me.totp.remove", hal.principal, { body: { code } });
    for (let wrong = 0; wrong < 5; wrong += 1) await expect(guess("000000")).rejects.toEqual(refused("step-up-failed"));
    await expect(guess(hal.code())).rejects.toEqual(refused("step-up-failed", "Too many wrong codes"));
    expect((await factors(hal.principal)).totpLockedUntil).not.toBeNull();
    const { items } = await on.call("audit.list", admin, { query: { subject: "hal" } });
    expect(items.at(-1)).toMatchObject({ action: "totp.lock", outcome: "refused", details: { count: 5 } });
    later(15 * 60_000);
    expect(await guess(hal.code())).toMatchObject({ totp: "none" });
  });

  test("taken at once by two requests count for one", async () => {
    const ida = await approverOn(on, "ida", ["approver"]);
    const code = ida.code();
    const removals = [1, 2].map(() => on.call("me.totp.remove", ida.principal, { body: { code } }));
    expect((await Promise.allSettled(removals)).filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("are nobody's but a person's", async () => {
    const robot = await on.principal("robot", "agent", ["proposer"]);
    await expect(on.call("me.totp.enroll", robot)).rejects.toEqual(refused("humans-only"));
    await expect(on.call("me.keys.list", robot)).rejects.toEqual(refused("humans-only"));
  });
});

describe("a key of one's own", () => {
  let jan: Approver;
  beforeAll(async () => {
    jan = await approverOn(on, "jan", ["approver"]);
  });
  const bodyOf = (key = generateSigningKey(randomBytes)) => ({
    key,
    body: { publicKey: key.publicKey.spkiPem, kind: "cosign" as const },
  });

  test("is listed and withdrawn by its holder alone", async () => {
    expect((await on.call("me.keys.list", jan.principal)).items).toMatchObject([
      { keyId: jan.key.publicKey.keyId, kind: "cosign", revokedAt: null },
    ]);
    const kim = await human("kim");
    const params = { keyId: jan.key.publicKey.keyId };
    await expect(on.call("me.keys.revoke", kim, { params })).rejects.toEqual(refused("not-found"));
    expect((await on.call("me.keys.list", kim)).items).toEqual([]);
    expect(await on.call("me.keys.revoke", jan.principal, { params })).toMatchObject({ revokedAt: expect.any(String) });
    // Withdrawn, it is nobody's any more, and does not come back.
    await expect(enrollKey(on, jan, jan.key)).rejects.toEqual(refused("not-acceptable-now"));
    expect((await on.call("me.keys.list", jan.principal)).items).toHaveLength(1);
  });

  test("is registered by its own signature over the person's own statement", async () => {
    const { key, body } = bodyOf();
    const statement = await on.call("me.keys.statement", jan.principal, { body });
    expect(statement.requires).toEqual({ mfa: true, signed: true });
    const stepUp = () => ({ kind: "totp" as const, code: jan.code() });
    const enroll = (more: object) => on.call("me.keys.enroll", jan.principal, { body: { ...body, ...more } });
    const bundle = jan.sign(statement, key);
    await expect(enroll({ nonce: statement.nonce, stepUp: stepUp() })).rejects.toEqual(refused("signature-required"));
    await expect(enroll({ bundle })).rejects.toEqual(refused("step-up-required"));
    await expect(enroll({ bundle: jan.sign(statement, jan.key), stepUp: stepUp() })).rejects.toEqual(
      refused("signature-refused"),
    );
    const other = bodyOf();
    const swapped = { ...other.body, bundle, stepUp: stepUp() };
    await expect(on.call("me.keys.enroll", jan.principal, { body: swapped })).rejects.toEqual(
      refused("statement-refused"),
    );
    expect(await enroll({ bundle, stepUp: stepUp() })).toMatchObject({ keyId: key.publicKey.keyId, label: "cosign" });
    await expect(enroll({ bundle, stepUp: stepUp() })).rejects.toEqual(refused("not-acceptable-now"));
  });

  test("is not another's, nor one that the tenant trusts for something else", async () => {
    const leo = await approverOn(on, "leo", ["approver"]);
    const taken = { publicKey: leo.key.publicKey.spkiPem, kind: "cosign" as const };
    await expect(on.call("me.keys.statement", jan.principal, { body: taken })).rejects.toEqual(
      refused("not-acceptable-now"),
    );
    const theirs = { purpose: "manifest" as const, publicKey: leo.key.publicKey.spkiPem };
    await expect(on.call("keys.import", admin, { body: theirs })).rejects.toEqual(refused("not-acceptable-now"));
    const { key, body } = bodyOf();
    await on.call("keys.import", admin, { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
    await expect(on.call("me.keys.statement", jan.principal, { body })).rejects.toEqual(refused("not-acceptable-now"));
  });

  test("is registered without a second factor only by who has none yet", async () => {
    const mia = await human("mia");
    const { key, body } = bodyOf();
    const statement = await on.call("me.keys.statement", mia, { body });
    expect(statement.requires).toEqual({ mfa: false, signed: true });
    const bundle = JSON.parse(signPayload(key, Buffer.from(statement.payload, "base64")));
    expect(await on.call("me.keys.enroll", mia, { body: { ...body, bundle } })).toMatchObject({ kind: "cosign" });
  });

  test("is withdrawn, with the codes, when an admin resets who lost them, and both are registered anew", async () => {
    const nia = await approverOn(on, "nia", ["approver"]);
    await on.call("people.reset", admin, { params: { id: "nia" } });
    expect(await factors(nia.principal)).toMatchObject({ totp: "none", keys: 0 });
    const { items } = await on.call("audit.list", admin, { query: { subject: "nia" } });
    expect(items.at(-1)).toMatchObject({ action: "person.reset", actor: "admin", details: { count: 2 } });
    await expect(on.call("people.reset", admin, { params: { id: "nia" } })).rejects.toEqual(refused("not-found"));
    const { secret } = await on.call("me.totp.enroll", nia.principal);
    expect(await on.call("me.totp.confirm", nia.principal, { body: { code: codeOf(secret) } })).toMatchObject({
      keys: 0,
    });
  });

  test("must be a public key that cosign makes", async () => {
    const body = { publicKey: "-----BEGIN PRIVATE KEY-----", kind: "cosign" as const };
    await expect(on.call("me.keys.statement", jan.principal, { body })).rejects.toEqual(
      refused("malformed-request", "private"),
    );
  });
});
