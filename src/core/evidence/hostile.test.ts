import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { authorityVerifier } from "./certificate-authority.ts";
import { verifyImageSignature } from "./image-signature.ts";
import { keylessVerifier } from "./keyless.ts";
import { legacySignature } from "./legacy-signature.ts";
import { verifyManifestSignature } from "./manifest-signature.ts";
import { verifyModelSignature } from "./model-signature.ts";
import { verifyProvenance } from "./provenance.ts";
import { SIGNING_PURPOSES, type Signer } from "./signer.ts";
import { AUTHORITY_EXTENSIONS, certificate, makeKey, pem } from "./testing/certificate.ts";
import { localSigstore } from "./testing/local-sigstore.ts";
import { readTrustedRoot } from "./trusted-root.ts";
import { verifyTestEvidence } from "./verify-trusted.ts";

/**
 * What a stranger wrote is read by every verifier here: documents that were good once, with pieces changed, cut,
 * doubled or put elsewhere. None may be accepted as something else, and none may throw.
 */
const SIGSTORE = localSigstore();
const AT_MS = Date.parse("2026-03-01T12:00:00Z");
const WHO = { issuer: "https://issuer.example.com", subject: "https://example.com/signer", atMs: AT_MS };
const ROOT = readTrustedRoot(SIGSTORE.trustedRoot);
if (!ROOT.ok) throw new Error(ROOT.problem.message);
const SIGSTORE_JUDGE = keylessVerifier(ROOT.value);

const key = makeKey();
const own = { key: key.spki, issuerKey: key.privateKey, subject: "own", issuer: "own", fromMs: 0, toMs: AT_MS * 2 };
const AUTHORITY = authorityVerifier([pem(certificate({ ...own, extensions: AUTHORITY_EXTENSIONS }))], { nowMs: AT_MS });
if (!AUTHORITY.ok) throw new Error(AUTHORITY.problem.message);

const SIGNERS: Signer[] = SIGNING_PURPOSES.map((purpose) => ({
  kind: "identity",
  purpose,
  issuer: WHO.issuer,
  subject: WHO.subject,
}));
const HEX = "ab".repeat(32);
const statementOf = (predicateType: string, predicate: object): object => ({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ digest: { sha256: HEX } }],
  predicateType,
  predicate,
});
const PAYLOAD = Buffer.from(
  `{"critical":{"identity":{"docker-reference":"x"},"image":{"docker-manifest-digest":"sha256:${HEX}"},"type":"cosign container image signature"}}`,
);
const ANNOTATIONS = SIGSTORE.signPayload(PAYLOAD, WHO);
const DOCUMENTS = [
  SIGSTORE.signStatement(
    statementOf("https://in-toto.io/attestation/test-result/v0.1", { result: "FAILED", configuration: [] }),
    WHO,
  ),
  SIGSTORE.signStatement(statementOf("https://slsa.dev/provenance/v1", {}), WHO),
  SIGSTORE.signMessage(PAYLOAD, WHO),
  SIGSTORE.trustedRoot,
  JSON.stringify(ANNOTATIONS),
  readFileSync(new URL("../../../test/fixtures/cosign/image.bundle", import.meta.url), "utf8"),
];

/** A document, and another one's piece put over a piece of it. */
const hostile = fc
  .tuple(
    fc.constantFrom(...DOCUMENTS),
    fc.constantFrom(...DOCUMENTS),
    fc.nat(),
    fc.nat(),
    fc.nat({ max: 40 }),
    fc.nat({ max: 40 }),
  )
  .map(([document, other, to, from, out, piece]) => {
    const at = to % document.length;
    const start = from % other.length;
    return document.slice(0, at) + other.slice(start, start + piece) + document.slice(at + out);
  });

function verdictsOn(text: string): { ok: boolean }[] {
  const subject = { subjectDigest: `sha256:${HEX}`, signers: SIGNERS, nowMs: AT_MS };
  return [SIGSTORE_JUDGE, AUTHORITY.ok ? AUTHORITY.value : SIGSTORE_JUDGE].flatMap((keyless) => {
    const required = { ...subject, keyless };
    return [
      verifyTestEvidence(text, required),
      verifyProvenance(text, { ...required, builders: [WHO.subject] }),
      verifyModelSignature(text, { ...required, files: [{ path: "a", digest: `sha256:${HEX}` }] }),
      verifyManifestSignature({ kind: "bundle", json: text }, { ...required, manifest: Buffer.from("other") }),
      verifyManifestSignature({ kind: "bare", base64: text }, { ...required, manifest: PAYLOAD }),
      verifyImageSignature({ kind: "bundle", json: text }, { ...required, imageDigest: subject.subjectDigest }),
    ];
  });
}

test("nothing that was changed is accepted as what it is not, and nothing throws", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      expect(verdictsOn(text).filter(({ ok }) => ok)).toEqual([]);
    }),
    { numRuns: 80 },
  );
});

test("an image's annotations are refused with any one of them changed, and none throws", () => {
  const names = Object.keys(ANNOTATIONS).filter((name) => !name.endsWith("/chain"));
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.nat(),
      fc.string({ maxLength: 6 }),
      fc.nat({ max: 6 }),
      (name, at, piece, out) => {
        const good = ANNOTATIONS[name] ?? "";
        const from = at % good.length;
        const changed = good.slice(0, from) + piece + good.slice(from + out);
        // A PEM block may be wrapped in more ways than one, and a text of JSON may have spaces.
        fc.pre(changed.replaceAll(/\s/g, "") !== good.replaceAll(/\s/g, ""));
        const read = legacySignature(PAYLOAD, { ...ANNOTATIONS, [name]: changed });
        if (!read.ok) return;
        const required = { signers: SIGNERS, keyless: SIGSTORE_JUDGE, imageDigest: `sha256:${HEX}` };
        expect(verifyImageSignature(read.value, required).ok).toBe(false);
      },
    ),
    { numRuns: 150 },
  );
});

test("a trusted root that was changed is read or refused, and never throws but by its name", () => {
  fc.assert(
    fc.property(fc.nat(), fc.string({ maxLength: 6 }), fc.nat({ max: 6 }), (at, piece, out) => {
      const from = at % SIGSTORE.trustedRoot.length;
      const text = SIGSTORE.trustedRoot;
      const root = readTrustedRoot(text.slice(0, from) + piece + text.slice(from + out));
      if (!root.ok) return;
      try {
        keylessVerifier(root.value);
      } catch (error) {
        expect(error).toMatchObject({ code: "bad-trusted-root" });
      }
    }),
    { numRuns: 150 },
  );
});
