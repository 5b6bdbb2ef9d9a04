import { createHash, verify, X509Certificate } from "node:crypto";
import type { Parsed } from "../error.ts";
import type { CertifiedBundle } from "./bundle.ts";
import { hashOf } from "./public-key.ts";
import { type CertifiedSigner, type KeylessVerifier, type Refusal, refusal, type SignedBytes } from "./trust.ts";

/**
 * Signatures with certificates of an organisation's own certificate authority, without any log: what Model Signing calls
 * certificate signers. Nothing proves when such a signature was made, so the certificates must be valid now, and where
 * evidence has to be fresh it is refused unless the time of acceptance is known.
 */

/**
 * A judge that trusts the authorities of these certificates (PEM) and at most one certificate between them and a
 * signer's. With one there is none below it, so its path length needs no reading.
 * The signer's identity is its subject alternative name or, without one, its subject, parts joined by `, `; its issuer is
 * `authorityIssuer` of the authority.
 */
export function authorityVerifier(
  authoritiesPem: readonly string[],
  { nowMs }: { nowMs: number },
): Parsed<KeylessVerifier> {
  const authorities = authoritiesPem.map((pem) => readCertificate(pem));
  const bad = authorities.findIndex((one) => one?.ca !== true);
  if (bad !== -1 || authorities.length === 0)
    return {
      ok: false,
      problem: { path: `/${Math.max(bad, 0)}`, message: "must be one certificate authority's certificate in PEM" },
    };
  const anchors = authorities.filter((one) => one !== null);
  return {
    ok: true,
    value: {
      verify(bundle, signed) {
        try {
          return judge({ bundle, signed, anchors, nowMs });
        } catch {
          // A crafted certificate can hold a key or a date that the reader of certificates stumbles over.
          return refusal("bad-certificate", "a certificate of the signature cannot be read");
        }
      },
    },
  };
}

/** What an identity's `issuer` is for a certificate authority: `urn:x509:sha256:` and the digest of its certificate. */
export function authorityIssuer(certificate: X509Certificate): string {
  return `urn:x509:sha256:${createHash("sha256").update(certificate.raw).digest("hex")}`;
}

function judge({
  bundle,
  signed,
  anchors,
  nowMs,
}: {
  bundle: CertifiedBundle;
  signed: SignedBytes;
  anchors: readonly X509Certificate[];
  nowMs: number;
}): ({ ok: true } & CertifiedSigner) | Refusal {
  const [leaf, ...between] = bundle.certificates.map((der) => readCertificate(der));
  if (!leaf || leaf.ca)
    return refusal("bad-certificate", "the signer's certificate cannot be read, or is an authority's");
  const anchor = findAnchor({ leaf, between, anchors, nowMs });
  if (anchor === undefined)
    return refusal("bad-certificate", "no trusted authority made the signer's certificate, or it is not valid now");
  const hash = hashOf(leaf.publicKey);
  if (hash === undefined)
    return refusal("bad-certificate", "the certificate's key is not ECDSA on P-256, P-384 or P-521");
  if (!verify(hash, signed.bytes, { key: leaf.publicKey, dsaEncoding: "der" }, bundle.signature))
    return refusal("bad-signature", "the signature does not fit the certificate: what was signed was changed");
  const subject = subjectOf(leaf);
  if (subject === null) return refusal("bad-certificate", "the certificate must name its holder");
  return { ok: true, issuer: authorityIssuer(anchor), subject, provenAtMs: null };
}

function findAnchor({
  leaf,
  between,
  anchors,
  nowMs,
}: {
  leaf: X509Certificate;
  between: readonly (X509Certificate | null)[];
  anchors: readonly X509Certificate[];
  nowMs: number;
}): X509Certificate | undefined {
  if (!isValidAt(leaf, nowMs) || !maySignCode(leaf)) return undefined;
  const madeBy = (child: X509Certificate, parent: X509Certificate): boolean =>
    parent.ca && isValidAt(parent, nowMs) && child.checkIssued(parent) && child.verify(parent.publicKey);
  const candidates = [leaf, ...between.filter((one) => one !== null && madeBy(leaf, one))];
  return anchors.find((anchor) => candidates.some((child) => child !== null && madeBy(child, anchor)));
}

/** The extended key usage for signing code (RFC 5280, 4.2.1.12): a certificate of a web server signs no model. */
function maySignCode({ keyUsage }: X509Certificate): boolean {
  return keyUsage?.includes("1.3.6.1.5.5.7.3.3") === true;
}

function isValidAt(certificate: X509Certificate, nowMs: number): boolean {
  return certificate.validFromDate.getTime() <= nowMs && nowMs <= certificate.validToDate.getTime();
}

function subjectOf({ subjectAltName, subject }: X509Certificate): string | null {
  if (subjectAltName !== undefined) return /^(?:URI|email):([^,"]+)$/.exec(subjectAltName)?.[1] ?? null;
  return subject ? subject.split("\n").join(", ") : null;
}

function readCertificate(certificate: string | Buffer): X509Certificate | null {
  try {
    return new X509Certificate(certificate);
  } catch {
    return null;
  }
}
