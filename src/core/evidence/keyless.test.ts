import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { verifyImageSignature } from "./image-signature.ts";
import { keylessVerifier } from "./keyless.ts";
import { legacySignature } from "./legacy-signature.ts";
import type { Signer } from "./signer.ts";
import { localSigstore } from "./testing/local-sigstore.ts";
import { readTrustedRoot, type TrustedRoot } from "./trusted-root.ts";
import { verifyMessage, verifyTrusted } from "./verify-trusted.ts";

const SIGSTORE = localSigstore();
const OTHER_SIGSTORE = localSigstore();
const KEYLESS = keylessVerifier(rootOf(SIGSTORE.trustedRoot));

function rootOf(json: string): TrustedRoot {
  const root = readTrustedRoot(json);
  if (!root.ok) throw new Error(`${root.problem.path} ${root.problem.message}`);
  return root.value;
}

const AT_MS = Date.parse("2026-03-01T12:00:00Z");
const WHO = {
  issuer: "https://token.actions.githubusercontent.com",
  subject: "https://github.com/acme/models/.github/workflows/test.yml@refs/heads/main",
  atMs: AT_MS,
};
const MESSAGE = Buffer.from("model");
const HEX = createHash("sha256").update(MESSAGE).digest("hex");
const TYPE = "https://example.com/evidence/v1";
const STATEMENT = {
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ digest: { sha256: HEX } }],
  predicateType: TYPE,
  predicate: {},
};
const trust = (signer: Partial<Signer> = {}): { signers: Signer[]; keyless: typeof KEYLESS } => ({
  signers: [{ kind: "identity", purpose: "tests", issuer: WHO.issuer, subject: WHO.subject, ...signer } as Signer],
  keyless: KEYLESS,
});
const REQUIRED = { purpose: "tests", predicateType: TYPE, subjectDigest: `sha256:${HEX}` };
const GOOD = SIGSTORE.signStatement(STATEMENT, WHO);

test.each(["P-256", "P-384"] as const)("a certificate with a key on %s signs statements and files", (curve) => {
  const statement = SIGSTORE.signStatement(STATEMENT, { ...WHO, curve });
  expect(verifyTrusted(statement, { ...trust(), ...REQUIRED })).toMatchObject({
    ok: true,
    signer: { kind: "identity", issuer: WHO.issuer, subject: WHO.subject },
    keyId: expect.stringMatching(/^identity:sha256:[0-9a-f]{64}$/),
    provenAtMs: AT_MS,
  });
  const file = SIGSTORE.signMessage(MESSAGE, { ...WHO, curve });
  expect(verifyMessage(file, { ...trust(), purpose: "tests", message: MESSAGE })).toMatchObject({ ok: true });
  expect(verifyMessage(file, { ...trust(), purpose: "tests", message: Buffer.from("Model") })).toMatchObject({
    code: "wrong-subject",
  });
});

describe("an identity", () => {
  test.each<[string, Partial<Signer>]>([
    ["a pattern that would match", { subject: ".*" }],
    ["an anchored pattern", { subject: `^${WHO.subject}$` }],
    ["a part of the subject", { subject: "https://github.com/acme/models" }],
    ["a longer subject", { subject: `${WHO.subject}-2` }],
    ["the subject of a fork", { subject: WHO.subject.replace("acme", "acme2") }],
    ["another branch", { subject: WHO.subject.replace("main", "mainly") }],
    ["another case", { subject: WHO.subject.toUpperCase() }],
    ["an empty subject", { subject: "" }],
    ["a pattern of issuers", { issuer: "https://.*" }],
    ["an issuer with a slash more", { issuer: `${WHO.issuer}/` }],
    ["a part of the issuer", { issuer: "https://token.actions" }],
    ["an empty issuer", { issuer: "" }],
    ["issuer and subject exchanged", { issuer: WHO.subject, subject: WHO.issuer }],
  ])("is compared exactly: %s is nobody", (_, signer) => {
    expect(verifyTrusted(GOOD, { ...trust(signer), ...REQUIRED })).toMatchObject({ code: "untrusted-identity" });
  });

  test("counts for its purpose, and until its end", () => {
    expect(verifyTrusted(GOOD, { ...trust({ purpose: "image" }), ...REQUIRED })).toMatchObject({
      code: "wrong-purpose",
    });
    const ended = { ...trust({ notAfterMs: AT_MS + 1000 }), ...REQUIRED };
    expect(verifyTrusted(GOOD, { ...ended, nowMs: AT_MS }).ok).toBe(true);
    expect(verifyTrusted(GOOD, { ...ended, nowMs: AT_MS + 1000 })).toMatchObject({ code: "expired-key" });
    expect(verifyTrusted(GOOD, ended)).toMatchObject({ code: "expired-key" });
  });

  test("is none where the certificate names several", () => {
    const several = SIGSTORE.signStatement(STATEMENT, { ...WHO, otherSubjects: ["https://github.com/evil"] });
    expect(verifyTrusted(several, { ...trust(), ...REQUIRED })).toMatchObject({ code: "bad-certificate" });
    const mixed = SIGSTORE.signStatement(STATEMENT, { ...WHO, otherSubjects: ["someone@example.com"] });
    expect(verifyTrusted(mixed, { ...trust(), ...REQUIRED })).toMatchObject({ code: "bad-certificate" });
    const comma = SIGSTORE.signStatement(STATEMENT, { ...WHO, subject: `${WHO.subject}, URI:https://x` });
    expect(verifyTrusted(comma, { ...trust(), ...REQUIRED })).toMatchObject({ code: "bad-certificate" });
  });

  test("is not asked about what a key is trusted for, nor the other way round", () => {
    expect(verifyTrusted(GOOD, { ...REQUIRED, signers: [], keyless: KEYLESS })).toMatchObject({
      code: "untrusted-identity",
    });
    expect(verifyTrusted(GOOD, { ...REQUIRED, signers: trust().signers })).toMatchObject({ code: "not-available" });
  });
});

describe("a signature with a certificate", () => {
  const spoil = (change: (bundle: Record<string, Record<string, unknown>>) => void, good = GOOD): string => {
    const bundle = JSON.parse(good);
    change(bundle);
    return JSON.stringify(bundle);
  };
  const refused = (bundle: string, code: string): void =>
    expect(verifyTrusted(bundle, { ...trust(), ...REQUIRED })).toMatchObject({ ok: false, code });

  test("of another instance is refused, whatever identity it claims", () => {
    refused(OTHER_SIGSTORE.signStatement(STATEMENT, WHO), "bad-certificate");
  });

  test("is refused without the log's entry, and with another signature's", () => {
    refused(
      spoil((b) => Object.assign(b["verificationMaterial"] ?? {}, { tlogEntries: [] })),
      "bad-certificate",
    );
    const other = JSON.parse(SIGSTORE.signStatement({ ...STATEMENT, predicate: { other: true } }, WHO));
    const { tlogEntries, certificate } = other.verificationMaterial;
    refused(
      spoil((b) => Object.assign(b["verificationMaterial"] ?? {}, { tlogEntries })),
      "bad-certificate",
    );
    refused(
      spoil((b) => Object.assign(b["verificationMaterial"] ?? {}, { certificate })),
      "bad-signature",
    );
    refused(
      spoil((b) => Object.assign(b, { dsseEnvelope: other.dsseEnvelope })),
      "bad-certificate",
    );
  });

  test("is refused with a certificate whose unsigned part was changed", () => {
    const algorithm = Buffer.from("06082a8648ce3d040302", "hex");
    const changed = spoil((b) => {
      const material = b["verificationMaterial"] as { certificate: { rawBytes: string } };
      const der = Buffer.from(material.certificate.rawBytes, "base64");
      der[der.lastIndexOf(algorithm) + 3] = 0;
      material.certificate.rawBytes = der.toString("base64");
    });
    refused(changed, "bad-certificate");
  });

  test("is refused where the log saw it outside of the certificate's time", () => {
    for (const loggedAfterMs of [11 * 60_000, -60_000])
      refused(SIGSTORE.signStatement(STATEMENT, { ...WHO, loggedAfterMs }), "bad-certificate");
  });

  test("is refused about another subject, under another type, and as evidence that is too old", () => {
    const zero = `sha256:${"0".repeat(64)}`;
    expect(verifyTrusted(GOOD, { ...trust(), ...REQUIRED, subjectDigest: zero })).toMatchObject({
      code: "wrong-subject",
    });
    expect(verifyTrusted(GOOD, { ...trust(), ...REQUIRED, predicateType: `${TYPE}1` })).toMatchObject({
      code: "wrong-predicate-type",
    });
    const aged = (nowMs: number) => verifyTrusted(GOOD, { ...trust(), ...REQUIRED, maxAgeMs: 1000, nowMs });
    expect(aged(AT_MS + 1000).ok).toBe(true);
    expect(aged(AT_MS + 1001)).toMatchObject({ code: "stale" });
    expect(aged(AT_MS - 6 * 60_000)).toMatchObject({ code: "stale" });
    const accepted = { ...trust(), ...REQUIRED, maxAgeMs: 1000, nowMs: AT_MS + 5000, acceptedAtMs: AT_MS + 5000 };
    expect(verifyTrusted(GOOD, accepted), "the log's time counts, not ours").toMatchObject({ code: "stale" });
  });
});

describe("an image that cosign 2 signed with a certificate", () => {
  const imageDigest = `sha256:${HEX}`;
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { "docker-reference": "registry.example.com/model" },
        image: { "docker-manifest-digest": imageDigest },
        type: "cosign container image signature",
      },
      optional: null,
    }),
  );
  const annotations = SIGSTORE.signPayload(payload, WHO);
  const check = (changed: Record<string, string>, bytes = payload) => {
    const signature = legacySignature(bytes, { ...annotations, ...changed });
    if (!signature.ok) return signature.problem.path;
    const verdict = verifyImageSignature(signature.value, { ...trust({ purpose: "image" }), imageDigest });
    return verdict.ok ? "accepted" : verdict.code;
  };

  test("is accepted with its certificate and the log's promise", () => {
    expect(check({})).toBe("accepted");
    const { "dev.cosignproject.cosign/signature": signature } = annotations;
    expect(legacySignature(payload, { "dev.cosignproject.cosign/signature": signature ?? "" })).toMatchObject({
      ok: true,
      value: { kind: "simple-signing" },
    });
  });

  test("is refused with anything of it changed", () => {
    const other = SIGSTORE.signPayload(Buffer.from("other"), WHO);
    const strange = OTHER_SIGSTORE.signPayload(payload, WHO);
    for (const name of Object.keys(annotations).filter((key) => !key.endsWith("/chain"))) {
      expect(check({ [name]: other[name] ?? "" }), name).toMatch(/^bad-/);
      expect(check({ [name]: strange[name] ?? "" }), name).toMatch(/^bad-/);
      expect(check({ [name]: "x" }), name).toBe(name);
    }
    expect(check(strange)).toBe("bad-certificate");
    expect(check({}, Buffer.from(payload.toString().replace("model", "other")))).toMatch(/^bad-/);
    expect(legacySignature(payload, {})).toMatchObject({ ok: false });
  });
});

describe("a trusted root", () => {
  const changed = (change: (root: ReturnType<typeof JSON.parse>) => void): string => {
    const root = JSON.parse(SIGSTORE.trustedRoot);
    change(root);
    return JSON.stringify(root);
  };

  test.each<[string, string]>([
    ["no JSON", "{"],
    ["a key that stands twice", SIGSTORE.trustedRoot.replace('"tlogs"', '"tlogs":[],"tlogs"')],
    ["another document", changed((root) => (root.mediaType = "application/json"))],
    ["no log", changed((root) => (root.tlogs = []))],
    ["no authority", changed((root) => (root.certificateAuthorities = []))],
    ["no log of certificates", changed((root) => (root.ctlogs = []))],
    ["a log without a beginning", changed((root) => delete root.tlogs[0].publicKey.validFor.start)],
    [
      "a log that ends before it begins",
      changed((root) => (root.tlogs[0].publicKey.validFor.end = "2020-01-01T00:00:00Z")),
    ],
    ["an authority without a time", changed((root) => delete root.certificateAuthorities[0].validFor)],
    ["a field of no meaning", changed((root) => (root.trust = "all"))],
    ["a key that is no base64", changed((root) => (root.tlogs[0].publicKey.rawBytes = "*"))],
  ])("is refused with %s", (_, json) => {
    expect(readTrustedRoot(json)).toMatchObject({ ok: false });
  });

  test("with a certificate that cannot be read is a failure that says so", () => {
    const broken = rootOf(changed((root) => (root.tlogs[0].publicKey.rawBytes = "AAAA")));
    expect(() => keylessVerifier(broken)).toThrow(expect.objectContaining({ code: "bad-trusted-root" }));
  });

  test("that ended before a signature does not vouch for it", () => {
    const end = "2026-01-01T00:00:00Z";
    for (const json of [
      changed((root) => (root.tlogs[0].publicKey.validFor.end = end)),
      changed((root) => (root.ctlogs[0].publicKey.validFor.end = end)),
      changed((root) => (root.certificateAuthorities[0].validFor.end = end)),
    ]) {
      const keyless = keylessVerifier(rootOf(json));
      expect(verifyTrusted(GOOD, { ...trust(), ...REQUIRED, keyless })).toMatchObject({ code: "bad-certificate" });
    }
  });
});
