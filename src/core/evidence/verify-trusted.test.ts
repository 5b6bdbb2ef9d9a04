import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { BUNDLE_MEDIA_TYPE, writeDsseBundle } from "./bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding, signEnvelope } from "./dsse.ts";
import { signMessage, signStatement } from "./sign.ts";
import { generateSigningKey, type SigningKey } from "./signing-key.ts";
import type { Statement } from "./statement.ts";
import { buildTestResult } from "./test-result.ts";
import {
  authenticateTestEvidence,
  type TrustedKey,
  verifyMessage,
  verifyTestEvidence,
  verifyTrusted,
} from "./verify-trusted.ts";

const KEY = generateSigningKey(randomBytes);
const STRANGER = generateSigningKey(randomBytes);
const trustedFor = (purpose: string, key: SigningKey = KEY): TrustedKey => ({
  keyId: key.publicKey.keyId,
  spkiPem: key.publicKey.spkiPem,
  purpose,
});
const TRUST = { trustedKeys: [trustedFor("tests")] };

const MODEL = Buffer.from("model");
const HEX = createHash("sha256").update(MODEL).digest("hex");
const SUBJECT = `sha256:${HEX}`;

function testStatement(xml = "<testsuite><testcase/></testsuite>", digest = SUBJECT): Statement {
  const built = buildTestResult({ junit: Buffer.from(xml), subjects: [{ name: "model.onnx", digest }] });
  if (!built.ok) throw new Error(built.problem.message);
  return built.value.statement;
}

const GOOD = signStatement(testStatement(), KEY);
const verifyGood = (bundle: string | Uint8Array, trust = TRUST) =>
  verifyTestEvidence(bundle, { subjectDigest: SUBJECT, ...trust });

/** A bundle around any payload, signed as it should be: only what is inside is wrong. */
function signRaw(payload: string | Uint8Array, payloadType = IN_TOTO_PAYLOAD_TYPE, key = KEY): string {
  const envelope = { payloadType, payload: Buffer.from(payload) };
  return writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) });
}
const signChanged = (change: object): string => signRaw(JSON.stringify({ ...testStatement(), ...change }));
const signPredicate = (change: object): string =>
  signChanged({ predicate: { ...Object(testStatement().predicate), ...change } });

interface Loose {
  mediaType: string;
  verificationMaterial: { publicKey: { hint: string } } & Record<string, unknown>;
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string; keyid?: string }[] };
  [name: string]: unknown;
}

/** The good bundle with something about it changed. */
function tampered(change: (bundle: Loose) => void): string {
  const bundle = JSON.parse(GOOD) as Loose;
  change(bundle);
  return JSON.stringify(bundle);
}
const signatureOf = (bundle: Loose): { sig: string; keyid?: string } =>
  bundle.dsseEnvelope.signatures[0] ?? { sig: "" };
const expectRefused = (bundle: string | Uint8Array, code: string, trust = TRUST): void =>
  expect(verifyGood(bundle, trust)).toMatchObject({ ok: false, code });

describe("test evidence", () => {
  test("is accepted from a key trusted for tests, about exactly the subject, when the tests passed", () => {
    const verdict = verifyGood(GOOD);
    expect(verdict).toMatchObject({
      ok: true,
      evidence: {
        kind: "tests",
        keyId: KEY.publicKey.keyId,
        subjectDigests: [SUBJECT],
        predicateType: "https://in-toto.io/attestation/test-result/v0.1",
        predicate: { result: "PASSED", passedTests: ["case-1"] },
      },
    });
    expect(verifyGood(Buffer.from(GOOD))).toEqual(verdict);
    expect(JSON.parse(GOOD)).toMatchObject({
      mediaType: BUNDLE_MEDIA_TYPE,
      dsseEnvelope: { payloadType: IN_TOTO_PAYLOAD_TYPE },
    });
  });

  test("is accepted whatever it says of its signer, for that counts for nothing", () => {
    const renamed = tampered((bundle) => {
      bundle.verificationMaterial.publicKey.hint = "somebody";
      signatureOf(bundle).keyid = "somebody else";
    });
    expect(verifyGood(renamed).ok).toBe(true);
  });

  test("is refused from a key that nobody trusts, also when it names one that is trusted", () => {
    const forged = signRaw(JSON.stringify(testStatement()), IN_TOTO_PAYLOAD_TYPE, STRANGER);
    expectRefused(forged, "untrusted-key");
    expectRefused(GOOD, "untrusted-key", { trustedKeys: [] });
    expectRefused(forged.replace(STRANGER.publicKey.hint, KEY.publicKey.hint), "bad-signature");
  });

  test("is refused from a key of another purpose, compared exactly", () => {
    for (const purpose of ["image", "test", "tests ", "Tests", "tests,image", ""]) {
      expectRefused(GOOD, "wrong-purpose", { trustedKeys: [trustedFor(purpose), trustedFor("tests", STRANGER)] });
    }
    expect(verifyGood(GOOD, { trustedKeys: [trustedFor("image"), trustedFor("tests")] }).ok).toBe(true);
  });

  test("is refused from a key whose time is over, or may be", () => {
    const trustedKeys = [{ ...trustedFor("tests"), notAfterMs: 1000 }];
    expect(verifyTestEvidence(GOOD, { subjectDigest: SUBJECT, trustedKeys, nowMs: 999 }).ok).toBe(true);
    for (const now of [{ nowMs: 1000 }, {}]) {
      expect(verifyTestEvidence(GOOD, { subjectDigest: SUBJECT, trustedKeys, ...now })).toMatchObject({
        code: "expired-key",
      });
    }
  });

  test("is refused about anything but exactly the subject", () => {
    const about = (digest: Record<string, string>): string => signChanged({ subject: [{ name: SUBJECT, digest }] });
    for (const digest of [
      { sha256: `${HEX}0` },
      { sha256: HEX.slice(1) },
      { sha256: HEX.toUpperCase() },
      { sha256: SUBJECT },
      { sha512: HEX },
      { sha256: ` ${HEX}` },
    ]) {
      expectRefused(about(digest), "wrong-subject");
    }
    for (const subjectDigest of [HEX, "", "sha256:", SUBJECT.slice(0, -1), `sha256:${"0".repeat(64)}`]) {
      expect(verifyTestEvidence(GOOD, { subjectDigest, ...TRUST })).toMatchObject({ ok: false, code: "wrong-subject" });
    }
    const several = signChanged({ subject: [{ digest: { sha256: "0".repeat(64) } }, { digest: { sha256: HEX } }] });
    expect(verifyGood(several).ok).toBe(true);
  });

  test("is refused under any other predicate type", () => {
    const type = "https://in-toto.io/attestation/test-result/v0.1";
    for (const predicateType of [
      `${type}1`,
      type.slice(0, -1),
      type.toUpperCase(),
      `${type}/`,
      "https://slsa.dev/provenance/v1",
    ]) {
      expectRefused(signChanged({ predicateType }), "wrong-predicate-type");
    }
  });

  test("is refused when the tests did not pass, though it is authentic", () => {
    const failed = signStatement(testStatement("<testsuite><testcase><failure/></testcase></testsuite>"), KEY);
    expectRefused(failed, "not-passed");
    expect(authenticateTestEvidence(failed, TRUST)).toMatchObject({
      ok: true,
      evidence: { predicate: { result: "FAILED" } },
    });
    expectRefused(
      signStatement(testStatement("<testsuite><testcase><skipped/></testcase></testsuite>"), KEY),
      "not-passed",
    );
  });

  test("is refused when it contradicts or does not fit its own form", () => {
    expectRefused(signPredicate({ failedTests: ["case-2"] }), "malformed-statement");
    expectRefused(signPredicate({ result: "passed" }), "malformed-statement");
    expectRefused(signPredicate({ result: undefined }), "malformed-statement");
    expectRefused(signPredicate({ verdict: "PASSED" }), "malformed-statement");
    expectRefused(signChanged({ _type: "https://in-toto.io/Statement/v2" }), "malformed-statement");
    expectRefused(signChanged({ subject: [] }), "malformed-statement");
    expectRefused(signChanged({ subject: [{ digest: {} }] }), "malformed-statement");
    expectRefused(signChanged({ approved: true }), "malformed-statement");
    for (const payload of ["", "null", "[]", "{", Buffer.from([0xff])])
      expectRefused(signRaw(payload), "malformed-statement");
  });
});

describe("a bundle", () => {
  test("is refused when a byte of its payload, type or signature was changed", () => {
    expectRefused(
      tampered((b) => (b.dsseEnvelope.payload = Buffer.from(JSON.stringify(testStatement())).toString("base64"))),
      "bad-signature",
    );
    const payload = Buffer.from((JSON.parse(GOOD) as Loose).dsseEnvelope.payload, "base64");
    for (let at = 0; at < payload.length; at += 7) {
      const changed = Buffer.from(payload);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expectRefused(
        tampered((b) => (b.dsseEnvelope.payload = changed.toString("base64"))),
        "bad-signature",
      );
    }
    expectRefused(
      tampered((b) => (b.dsseEnvelope.payloadType = "application/json")),
      "malformed-bundle",
    );
    expectRefused(
      tampered((b) => (signatureOf(b).sig = "")),
      "bad-signature",
    );
    expectRefused(
      tampered((b) => (signatureOf(b).sig = randomBytes(70).toString("base64"))),
      "bad-signature",
    );
  });

  test("is refused when the signature is over the payload without its type", () => {
    const payload = Buffer.from(JSON.stringify(testStatement()));
    const bare = sign("sha256", payload, KEY.privateKey);
    expectRefused(
      writeDsseBundle(KEY.publicKey, { payloadType: IN_TOTO_PAYLOAD_TYPE, payload, signature: bare }),
      "bad-signature",
    );
    expectRefused(signRaw(payload, "text/plain"), "malformed-bundle");
  });

  test("is refused with two signatures, even when both are good, and with none", () => {
    expectRefused(
      tampered((b) => b.dsseEnvelope.signatures.push(signatureOf(b))),
      "malformed-bundle",
    );
    expectRefused(
      tampered((b) => (b.dsseEnvelope.signatures = [])),
      "malformed-bundle",
    );
  });

  test("is refused when its base64 is not in its one spelling", () => {
    for (const spoil of [
      (text: string) => `${text}=`,
      (text: string) => ` ${text}`,
      (text: string) => `${text.slice(0, 8)}\n${text.slice(8)}`,
      (text: string) => `*${text}`,
      (text: string) => `${text}${text}=`,
    ]) {
      expectRefused(
        tampered((b) => (b.dsseEnvelope.payload = spoil(b.dsseEnvelope.payload))),
        "malformed-bundle",
      );
      expectRefused(
        tampered((b) => (signatureOf(b).sig = spoil(signatureOf(b).sig))),
        "malformed-bundle",
      );
    }
  });

  test("is refused in another format, with a certificate, or with fields nobody knows", () => {
    expectRefused(
      tampered((b) => (b.mediaType = "application/vnd.dev.sigstore.bundle+json;version=0.4")),
      "malformed-bundle",
    );
    expectRefused(
      tampered((b) => Object.assign(b.verificationMaterial, { certificate: { rawBytes: "" } })),
      "malformed-bundle",
    );
    expectRefused(
      tampered((b) => (b["trusted"] = true)),
      "malformed-bundle",
    );
    expectRefused(
      tampered((b) => Object.assign(b, { messageSignature: JSON.parse(signMessage(MODEL, KEY)).messageSignature })),
      "malformed-bundle",
    );
    expectRefused(signMessage(MODEL, KEY), "malformed-bundle");
    for (const text of ["", "null", "[]", "{}", "x", '{"__proto__":{}}', "[".repeat(50_000)])
      expectRefused(text, "malformed-bundle");
    expectRefused(Buffer.from([0xff, 0xfe]), "malformed-bundle");
  });

  test("is refused unread when it is huge", () => {
    expectRefused(`{"mediaType":"${"x".repeat(9 * 1024 * 1024)}`, "malformed-bundle");
    expectRefused(signChanged({ padding: "x".repeat(6 * 1024 * 1024) }), "malformed-bundle");
  });

  test("says nothing of its payload in a refusal", () => {
    const verdicts = [
      verifyGood(signChanged({ subject: [{ name: "hunter2", digest: { sha256: "hunter2" } }] })),
      verifyGood(signChanged({ hunter2: true })),
      verifyGood(tampered((b) => Object.assign(b, { ["hunter2".repeat(1000)]: true }))),
    ];
    expect(verdicts.every(({ ok }) => !ok)).toBe(true);
    expect(JSON.stringify(verdicts)).not.toContain("hunter2");
  });
});

describe("a list of trusted keys", () => {
  test("that is broken is a failure, not a refusal", () => {
    const wrongCurve = generateKeyPairSync("ec", { namedCurve: "secp256k1" })
      .publicKey.export({ type: "spki", format: "pem" })
      .toString();
    for (const trusted of [
      { ...trustedFor("tests"), keyId: STRANGER.publicKey.keyId },
      { ...trustedFor("tests"), spkiPem: wrongCurve },
      { ...trustedFor("tests"), spkiPem: "" },
    ]) {
      expect(() => verifyGood(GOOD, { trustedKeys: [trusted] })).toThrow(
        expect.objectContaining({ code: "bad-trusted-key" }),
      );
    }
  });

  test("serves other purposes and predicates the same way", () => {
    const statement = {
      ...testStatement(),
      predicateType: "https://example.com/approval/v1",
      predicate: { approved: true },
    };
    const bundle = signStatement(statement, KEY);
    const required = { purpose: "approver", predicateType: "https://example.com/approval/v1" };
    expect(verifyTrusted(bundle, { ...required, trustedKeys: [trustedFor("approver")] })).toMatchObject({
      ok: true,
      statement,
    });
    expect(verifyTrusted(bundle, { ...required, ...TRUST })).toMatchObject({ code: "wrong-purpose" });
    const about = { ...required, trustedKeys: [trustedFor("approver")] };
    expect(verifyTrusted(bundle, { ...about, subjectDigest: SUBJECT }).ok).toBe(true);
    for (const subjectDigest of [`sha256:${"0".repeat(64)}`, HEX, ""])
      expect(verifyTrusted(bundle, { ...about, subjectDigest })).toMatchObject({ code: "wrong-subject" });
  });

  test("may hold one key for several purposes, each with its own end", () => {
    const { keyId, spkiPem } = KEY.publicKey;
    const signers = (["tests", "image"] as const).map((purpose) => ({
      kind: "key" as const,
      purpose,
      keyId,
      spkiPem,
      ...(purpose === "image" ? {} : { notAfterMs: 1000 }),
    }));
    expect(verifyTestEvidence(GOOD, { subjectDigest: SUBJECT, signers, nowMs: 999 }).ok).toBe(true);
    expect(verifyTestEvidence(GOOD, { subjectDigest: SUBJECT, signers, nowMs: 1000 })).toMatchObject({
      code: "expired-key",
    });
  });
});

describe("a file's signature", () => {
  const bundle = signMessage(MODEL, KEY);
  const check = (text: string, message: Uint8Array, trustedKeys = [trustedFor("files")]) =>
    verifyMessage(text, { purpose: "files", message, trustedKeys });

  test("is good for exactly the file, the key and the purpose", () => {
    expect(check(bundle, MODEL)).toEqual({
      ok: true,
      keyId: KEY.publicKey.keyId,
      signer: { kind: "key", keyId: KEY.publicKey.keyId },
      provenAtMs: null,
    });
    expect(check(bundle, Buffer.from("modeL"))).toMatchObject({ code: "wrong-subject" });
    expect(check(bundle, MODEL, [trustedFor("tests")])).toMatchObject({ code: "wrong-purpose" });
    expect(check(bundle, MODEL, [trustedFor("files", STRANGER)])).toMatchObject({ code: "untrusted-key" });
    expect(check(GOOD, MODEL)).toMatchObject({ code: "malformed-bundle" });
  });

  test("of another file does not pass with this file's digest", () => {
    const other = JSON.parse(signMessage(Buffer.from("other"), KEY));
    other.messageSignature.messageDigest = JSON.parse(bundle).messageSignature.messageDigest;
    expect(check(JSON.stringify(other), MODEL)).toMatchObject({ code: "bad-signature" });
  });
});

test("the pre-authentication encoding is the one of the specification's example", () => {
  const encoded = preAuthEncoding("http://example.com/HelloWorld", Buffer.from("hello world"));
  expect(encoded.toString()).toBe("DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  expect(preAuthEncoding("ü", Buffer.from("é")).toString()).toBe("DSSEv1 2 ü 2 é");
});
