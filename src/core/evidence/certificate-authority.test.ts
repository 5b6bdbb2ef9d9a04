import { createHash, sign, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { BUNDLE_MEDIA_TYPE } from "./bundle.ts";
import { authorityIssuer, authorityVerifier } from "./certificate-authority.ts";
import type { Signer } from "./signer.ts";
import {
  AUTHORITY_EXTENSIONS,
  type CertificateKey,
  type CertificateParts,
  certificate,
  makeKey,
  pem,
  SIGNER_EXTENSIONS,
  subjectNames,
} from "./testing/certificate.ts";
import { verifyMessage } from "./verify-trusted.ts";

/** An organisation's own authorities: a root, one between, and signers of either. */
const [ROOT, BETWEEN, BELOW, HOLDER, OTHER] = [makeKey(), makeKey(), makeKey(), makeKey("P-384"), makeKey()];
const FROM_MS = Date.parse("2026-01-01T00:00:00Z");
const TO_MS = Date.parse("2027-01-01T00:00:00Z");
const NOW_MS = Date.parse("2026-06-01T00:00:00Z");
const EMAIL = "builds@example.com";
const MESSAGE = Buffer.from("model");

function issue(key: CertificateKey, by: CertificateKey, parts: Partial<CertificateParts> = {}): Buffer {
  const all = { subject: "", fromMs: FROM_MS, toMs: TO_MS, extensions: AUTHORITY_EXTENSIONS, ...parts };
  return certificate({ key: key.spki, issuerKey: by.privateKey, ...all });
}
const root = issue(ROOT, ROOT, { issuer: "root", subject: "root" });
const between = issue(BETWEEN, ROOT, { issuer: "root", subject: "between" });
const leafBy = (by: CertificateKey, issuer: string, parts: Partial<CertificateParts> = {}): Buffer =>
  issue(HOLDER, by, { issuer, extensions: [...SIGNER_EXTENSIONS, subjectNames([EMAIL])], ...parts });
const LEAF = leafBy(BETWEEN, "between");

function bundleOf(certificates: readonly Buffer[], key: CertificateKey = HOLDER): string {
  const digest = createHash("sha384").update(MESSAGE).digest("base64");
  return JSON.stringify({
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: {
      x509CertificateChain: { certificates: certificates.map((der) => ({ rawBytes: der.toString("base64") })) },
    },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_384", digest },
      signature: sign("sha384", MESSAGE, key.privateKey).toString("base64"),
    },
  });
}

function check(
  bundle: string,
  options: { anchor?: Buffer; nowMs?: number; subject?: string; issuer?: string; maxAgeMs?: number } = {},
) {
  const { anchor = root, nowMs = NOW_MS, subject = EMAIL, ...times } = options;
  const keyless = authorityVerifier([pem(anchor)], { nowMs });
  if (!keyless.ok) throw new Error(keyless.problem.message);
  const issuer = options.issuer ?? authorityIssuer(new X509Certificate(anchor));
  const signers: Signer[] = [{ kind: "identity", purpose: "manifest", issuer, subject }];
  const required = { signers, keyless: keyless.value, nowMs, purpose: "manifest", message: MESSAGE, ...times };
  const verdict = verifyMessage(bundle, required);
  return verdict.ok ? "accepted" : verdict.code;
}

describe("a signature with a certificate of one's own authority", () => {
  test("is accepted through one certificate between, or directly from what is trusted", () => {
    expect(check(bundleOf([LEAF, between]))).toBe("accepted");
    expect(check(bundleOf([LEAF, between, root]))).toBe("accepted");
    expect(check(bundleOf([LEAF]), { anchor: between })).toBe("accepted");
    expect(check(bundleOf([leafBy(ROOT, "root")]))).toBe("accepted");
  });

  test("names its holder by a name, or by the subject where it has none", () => {
    const nameless = leafBy(ROOT, "root", { subject: "Build machine", extensions: SIGNER_EXTENSIONS });
    expect(check(bundleOf([nameless]), { subject: "CN=Build machine" })).toBe("accepted");
    expect(check(bundleOf([nameless]))).toBe("untrusted-identity");
    const two = leafBy(ROOT, "root", { extensions: [...SIGNER_EXTENSIONS, subjectNames([EMAIL, "a@example.com"])] });
    expect(check(bundleOf([two]))).toBe("bad-certificate");
    const none = leafBy(ROOT, "root", { extensions: SIGNER_EXTENSIONS });
    expect(check(bundleOf([none]), { subject: "" })).toBe("bad-certificate");
  });

  test("is about nobody under another authority's name", () => {
    expect(check(bundleOf([LEAF, between]), { subject: "builds@example.co" })).toBe("untrusted-identity");
    const issuer = authorityIssuer(new X509Certificate(between));
    expect(check(bundleOf([LEAF, between]), { issuer })).toBe("untrusted-identity");
  });

  test.each<[string, () => Buffer[]]>([
    ["no way to what is trusted", () => [LEAF]],
    ["a stranger's authority", () => [leafBy(OTHER, "root")]],
    [
      "an authority that only has the trusted one's name",
      () => [LEAF, issue(BETWEEN, OTHER, { issuer: "root", subject: "between" })],
    ],
    [
      "two certificates between",
      () => [leafBy(BELOW, "below"), issue(BELOW, BETWEEN, { issuer: "between", subject: "below" }), between],
    ],
    [
      "a signer who issued a certificate",
      () => [
        leafBy(OTHER, "signer"),
        issue(OTHER, ROOT, { issuer: "root", subject: "signer", extensions: SIGNER_EXTENSIONS }),
      ],
    ],
    ["an authority's own certificate as the signer's", () => [issue(HOLDER, ROOT, { issuer: "root", subject: "x" })]],
    [
      "a certificate for something else than signing",
      () => [leafBy(ROOT, "root", { extensions: [subjectNames([EMAIL])] })],
    ],
    ["a certificate that is over", () => [leafBy(ROOT, "root", { toMs: NOW_MS - 1000 })]],
    ["a certificate that has not begun", () => [leafBy(ROOT, "root", { fromMs: NOW_MS + 1000 })]],
    [
      "an authority between that is over",
      () => [LEAF, issue(BETWEEN, ROOT, { issuer: "root", subject: "between", toMs: NOW_MS - 1000 })],
    ],
    ["bytes that are no certificate", () => [Buffer.from("x")]],
  ])("is refused with %s", (_, certificates) => {
    expect(check(bundleOf(certificates()))).toBe("bad-certificate");
  });

  test("is refused when what is trusted is over", () => {
    expect(check(bundleOf([leafBy(ROOT, "root", { toMs: TO_MS * 2 })]), { nowMs: TO_MS + 1000 })).toBe(
      "bad-certificate",
    );
  });

  test("is refused when another key made it", () => {
    expect(check(bundleOf([LEAF, between], makeKey("P-384")))).toBe("bad-signature");
  });

  test("is never fresh by what it says itself", () => {
    expect(check(bundleOf([LEAF, between]), { maxAgeMs: 1e12 })).toBe("stale");
  });
});

test("what is to be trusted must be authorities' certificates, and at least one", () => {
  expect(authorityVerifier([], { nowMs: NOW_MS })).toMatchObject({ ok: false });
  expect(authorityVerifier(["x"], { nowMs: NOW_MS })).toMatchObject({ ok: false, problem: { path: "/0" } });
  expect(authorityVerifier([pem(root), pem(LEAF)], { nowMs: NOW_MS })).toMatchObject({
    ok: false,
    problem: { path: "/1" },
  });
});
