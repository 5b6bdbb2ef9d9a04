import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { writeDsseBundle } from "./bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "./dsse.ts";
import { generateSigningKey } from "./signing-key.ts";
import { buildTestResult } from "./test-result.ts";
import { verifyTestEvidence } from "./verify-trusted.ts";

const KEY = generateSigningKey(randomBytes);
const { keyId, spkiPem } = KEY.publicKey;
const TRUST = { signers: [{ kind: "key" as const, purpose: "tests" as const, keyId, spkiPem }] };
const HEX = createHash("sha256").update("model").digest("hex");
const SUBJECT = `sha256:${HEX}`;

const built = buildTestResult({
  junit: Buffer.from("<testsuite><testcase/></testsuite>"),
  subjects: [{ digest: SUBJECT }],
});
if (!built.ok) throw new Error(built.problem.message);
const { statement } = built.value;

/** A bundle around any payload, signed as it should be: only what is inside is wrong. */
function signRaw(payload: string): string {
  const envelope = { payloadType: IN_TOTO_PAYLOAD_TYPE, payload: Buffer.from(payload) };
  return writeDsseBundle(KEY.publicKey, { ...envelope, signature: signEnvelope(KEY, envelope) });
}
const GOOD = signRaw(JSON.stringify(statement));
const signPredicate = (change: object): string =>
  signRaw(JSON.stringify({ ...statement, predicate: { ...Object(statement.predicate), ...change } }));
const expectRefused = (bundle: string, code: string): void =>
  expect(verifyTestEvidence(bundle, { subjectDigest: SUBJECT, ...TRUST })).toMatchObject({ ok: false, code });

describe("what two readers could understand differently", () => {
  test.each<[string, (text: string) => string]>([
    [
      "a predicate type that stands twice",
      (text) => text.replace('"predicateType"', '"predicateType":"x","predicateType"'),
    ],
    ["a result that stands twice", (text) => text.replace('"result"', '"result":"FAILED","result"')],
    ["a key that stands twice by an escape", (text) => text.replace('"result"', '"resul\\u0074":"FAILED","result"')],
    ["a subject that stands twice", (text) => text.replace('"subject"', '"subject":[],"subject"')],
    ["a digest that stands twice", (text) => text.replace('"sha256"', `"sha256":"${"0".repeat(64)}","sha256"`)],
    ["a key of every object", (text) => text.replace('"result"', '"__proto__":{},"result"')],
    ["something after its end", (text) => `${text}{}`],
    ["a mark of byte order", (text) => `\ufeff${text}`],
  ])("is refused in a payload: %s", (_, change) => {
    const text = JSON.stringify(statement);
    expect(change(text)).not.toBe(text);
    expectRefused(signRaw(change(text)), "malformed-statement");
  });

  test("is refused in a bundle", () => {
    const other = JSON.parse(signRaw("{}")).dsseEnvelope.payload;
    expectRefused(GOOD.replace('"payload"', `"payload":"${other}","payload"`), "malformed-bundle");
    expectRefused(GOOD.replace('"sig"', '"sig":"AAAA","sig"'), "malformed-bundle");
  });
});

describe("evidence's age", () => {
  const aged = (times: { maxAgeMs?: number; nowMs?: number; acceptedAtMs?: number }, bundle = GOOD) =>
    verifyTestEvidence(bundle, { subjectDigest: SUBJECT, ...TRUST, ...times });

  test("counts from when it was accepted, and has a limit that is included", () => {
    expect(aged({ maxAgeMs: 1000, nowMs: 3000, acceptedAtMs: 2000 })).toMatchObject({
      ok: true,
      evidence: { provenAtMs: 2000 },
    });
    expect(aged({ maxAgeMs: 1000, nowMs: 3001, acceptedAtMs: 2000 })).toMatchObject({ code: "stale" });
    expect(aged({ nowMs: 1e15, acceptedAtMs: 0 }).ok).toBe(true);
  });

  test("is unknown, and so too great, where nothing proves it", () => {
    expect(aged({ maxAgeMs: 1000, nowMs: 3000 })).toMatchObject({ code: "stale" });
    expect(aged({ maxAgeMs: 1000, acceptedAtMs: 3000 })).toMatchObject({ code: "stale" });
    expect(aged({ maxAgeMs: Number.POSITIVE_INFINITY, nowMs: 3000 })).toMatchObject({ code: "stale" });
  });

  test("is never what the evidence says of itself", () => {
    const claims = { name: "junit", digest: { sha256: HEX }, annotations: { createdAt: "2026-01-01T00:00:03Z" } };
    const fresh = signPredicate({ configuration: [claims], url: "https://example.com/?at=3000" });
    expect(aged({ maxAgeMs: 1000, nowMs: 3000 }, fresh)).toMatchObject({ code: "stale" });
    expect(aged({ maxAgeMs: 1000, nowMs: 3000, acceptedAtMs: 0 }, fresh)).toMatchObject({ code: "stale" });
  });

  test("is not negative by more than two clocks may differ", () => {
    expect(aged({ nowMs: 0, acceptedAtMs: 5 * 60_000 }).ok).toBe(true);
    expect(aged({ nowMs: 0, acceptedAtMs: 5 * 60_000 + 1 })).toMatchObject({ code: "stale" });
  });
});
