import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { signMessage } from "../evidence/sign.ts";
import { generateSigningKey } from "../evidence/signing-key.ts";
import { encodeConsent } from "./statement.ts";
import { rolloutConsentOf, rolloutSays, signPayload } from "./testing/consents.ts";
import { nonceOfBundle, verifyConsent } from "./verify-consent.ts";

const ann = generateSigningKey(randomBytes);
const bob = generateSigningKey(randomBytes);
const keys = [{ keyId: ann.publicKey.keyId, spkiPem: ann.publicKey.spkiPem }];
const statement = encodeConsent(rolloutConsentOf());

describe("a signed consent", () => {
  test("is taken from the person's own key over exactly the stored bytes", () => {
    const bundle = signPayload(ann, statement);
    expect(verifyConsent(bundle, { statement, keys })).toMatchObject({ ok: true, keyId: ann.publicKey.keyId });
    expect(nonceOfBundle(bundle)).toBe(JSON.parse(statement.toString("utf8")).predicate.nonce);
  });

  test("is refused from another's key, also one that names itself as this one", () => {
    const forged = signPayload({ ...bob, publicKey: ann.publicKey }, statement);
    for (const bundle of [signPayload(bob, statement), forged]) {
      expect(verifyConsent(bundle, { statement, keys }).ok).toBe(false);
    }
    expect(verifyConsent(signPayload(ann, statement), { statement, keys: [] }).ok).toBe(false);
  });

  test("is refused over another statement, whatever part of it is another", () => {
    const says = rolloutSays();
    const others = [
      { tenant: "rival" },
      { rollout: "r-02" },
      { policyDigest: `sha256:${"9".repeat(64)}` },
      { approver: "bob" },
    ];
    for (const other of others) {
      const otherStatement = encodeConsent(rolloutConsentOf({ ...says, ...other }));
      const verdict = verifyConsent(signPayload(ann, otherStatement), {
        statement: encodeConsent(rolloutConsentOf(says)),
        keys,
      });
      expect(verdict).toMatchObject({ ok: false, reason: expect.stringContaining("another statement") });
    }
  });

  test("is refused under another payload type, as a signature of a file, and as no bundle", () => {
    expect(verifyConsent(signPayload(ann, statement, "text/plain"), { statement, keys }).ok).toBe(false);
    expect(verifyConsent(signMessage(statement, ann), { statement, keys }).ok).toBe(false);
    expect(verifyConsent("{}", { statement, keys }).ok).toBe(false);
    expect(nonceOfBundle("{}")).toBeUndefined();
  });

  test("says nothing where what is stored is no consent", () => {
    const other = Buffer.from("{}");
    expect(verifyConsent(signPayload(ann, other), { statement: other, keys })).toMatchObject({ ok: false });
  });
});
