import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "../plan/canonical.ts";
import {
  challengeOf,
  decodeConsent,
  encodeConsent,
  evidenceDigestOf,
  KEY_ENROLMENT_TYPE,
  POLICY_APPROVAL_TYPE,
} from "./statement.ts";
import { digestOf, newNonce, rolloutConsentOf, rolloutSays } from "./testing/consents.ts";

const common = () => ({
  tenant: "acme",
  approver: "ann",
  issuedAt: "2026-11-23T12:00:00.000Z",
  notAfter: "2026-11-23T12:15:00.000Z",
  nonce: newNonce(),
});
const policySays = () => ({
  ...common(),
  ...{ fromPolicyDigest: digestOf("a"), policyDigest: digestOf("b"), effect: "activate", role: "policy-admin" },
});
const keySays = () => ({ ...common(), ...{ keyId: digestOf("e"), kind: "cosign", label: "laptop", effect: "enrol" } });

/** Of parsed JSON, to be changed in ways that no type allows. */
interface Shape {
  subject: [{ digest: Record<string, string> }, ...unknown[]];
  predicateType: string;
  predicate: Record<string, unknown>;
}

const changed = (change: (statement: Shape) => void): Buffer => {
  const statement = JSON.parse(encodeConsent(rolloutConsentOf()).toString("utf8"));
  change(statement);
  return Buffer.from(canonicalJson(statement));
};

describe("a consent", () => {
  test("comes back as it was said, whichever of the three it is", () => {
    const consents = [
      rolloutConsentOf(),
      rolloutConsentOf({ role: "break-glass", breakGlass: { reason: "the model denies every loan" } }),
      { type: POLICY_APPROVAL_TYPE, says: policySays() as never } as const,
      { type: KEY_ENROLMENT_TYPE, says: keySays() as never } as const,
    ];
    for (const consent of consents) expect(decodeConsent(encodeConsent(consent))).toEqual({ ok: true, value: consent });
  });

  test("is an in-toto statement about the digest that it names", () => {
    expect(JSON.parse(encodeConsent(rolloutConsentOf()).toString("utf8"))).toMatchObject({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "plan", digest: { sha256: "a".repeat(64) } }],
      predicateType: "urn:continuum:approval:v1",
      predicate: { effect: "live", environment: "production" },
    });
  });

  test.each([
    ["a field more", (s: Shape) => (s.predicate.note = "please")],
    ["a field less", (s: Shape) => delete s.predicate.policyDigest],
    ["another subject than it speaks of", (s: Shape) => (s.subject[0].digest.sha256 = "f".repeat(64))],
    ["a second subject", (s: Shape) => s.subject.push(s.subject[0])],
    ["a digest of another kind beside it", (s: Shape) => (s.subject[0].digest.sha512 = "f".repeat(128))],
    ["the type of a policy's approval", (s: Shape) => (s.predicateType = POLICY_APPROVAL_TYPE)],
    ["a type that is nobody's", (s: Shape) => (s.predicateType = "urn:continuum:approval:v2")],
    ["a dry run", (s: Shape) => (s.predicate.effect = "dry-run")],
    ["evidence that its digest is not of", (s: Shape) => (s.predicate.evidence = [])],
    ["a reason without broken glass", (s: Shape) => (s.predicate.breakGlass = { reason: "because I said so" })],
    ["broken glass without a reason", (s: Shape) => (s.predicate.role = "break-glass")],
    ["a short nonce", (s: Shape) => (s.predicate.nonce = "abc")],
    ["a deadline that needs no word", (s: Shape) => (s.predicate.deadlineSeconds = 600)],
    ["a time that is none", (s: Shape) => (s.predicate.notAfter = "2026-13-01T00:00:00.000Z")],
  ])("with %s is none", (_what, change) => {
    expect(decodeConsent(changed(change)).ok).toBe(false);
  });

  test("has one spelling: what is equal as JSON and not as bytes is none", () => {
    const bytes = encodeConsent(rolloutConsentOf());
    const spaced = Buffer.from(JSON.stringify(JSON.parse(bytes.toString("utf8")), null, 1));
    const doubled = Buffer.from(bytes.toString("utf8").replace('"effect":"live"', '"effect":"no","effect":"live"'));
    const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
    for (const other of [spaced, doubled, marked, Buffer.concat([bytes, Buffer.from("\n")])]) {
      expect(decodeConsent(other).ok).toBe(false);
    }
  });

  test("differs from every other in its bytes and its challenge, whatever of it differs", () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
    const digest = fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}`);
    const difference = fc.record(
      {
        ...{ tenant: word, approver: word, rollout: word, endpoint: word, planDigest: digest, policyDigest: digest },
        environment: fc.constantFrom("development" as const, "staging" as const, "production" as const),
        runtime: fc.constantFrom("gpu" as const, "quantum" as const, "hybrid" as const),
        role: fc.constantFrom("approver" as const, "budget-owner" as const),
        deadlineSeconds: fc.integer({ min: 601, max: 604_800 }),
      },
      { requiredKeys: [] },
    );
    const nonce = newNonce();
    fc.assert(
      fc.property(difference, difference, (a, b) => {
        const [one, other] = [rolloutSays({ ...a, nonce }), rolloutSays({ ...b, nonce })];
        const same = canonicalJson(one) === canonicalJson(other);
        const [left, right] = [one, other].map((says) => encodeConsent({ type: "urn:continuum:approval:v1", says }));
        expect((left as Buffer).equals(right as Buffer)).toBe(same);
        expect(challengeOf(left as Buffer) === challengeOf(right as Buffer)).toBe(same);
      }),
    );
  });
});

test("the evidence's digest is the same in whatever order it was found, and another for any other set", () => {
  const item = fc.record({
    kind: fc.constantFrom("tests", "provenance", "manifest-signature"),
    subject: fc.constantFrom(digestOf("1"), digestOf("2")),
    digest: fc.constantFrom(digestOf("3"), digestOf("4"), digestOf("5")),
  });
  const words = (items: object[]) => items.map((one) => canonicalJson(one)).toSorted();
  fc.assert(
    fc.property(fc.array(item, { maxLength: 6 }), fc.array(item, { maxLength: 6 }), (a, b) => {
      expect(evidenceDigestOf(a.toReversed())).toBe(evidenceDigestOf(a));
      expect(evidenceDigestOf(a) === evidenceDigestOf(b)).toBe(words(a).join() === words(b).join());
    }),
  );
});
