import { verify, X509Certificate } from "node:crypto";
import { bundleFromJSON } from "@sigstore/bundle";
import { TrustedRoot as SigstoreRoot } from "@sigstore/protobuf-specs";
import { type SignedEntity, toSignedEntity, toTrustMaterial, VerificationError, Verifier } from "@sigstore/verify";
import { ContinuumError } from "../error.ts";
import type { CertifiedBundle } from "./bundle.ts";
import { hashOf } from "./public-key.ts";
import { type CertifiedSigner, type KeylessVerifier, type Refusal, refusal, type SignedBytes } from "./trust.ts";
import type { TrustedRoot } from "./trusted-root.ts";

/**
 * Signatures with Sigstore certificates, judged offline against a pinned root. This file alone loads Sigstore's
 * libraries: whoever needs it writes `await import(".../core/evidence/keyless.ts")`, so that a process which meets no
 * certificate never pays for them.
 */

export type TrustedRootErrorCode = "bad-trusted-root";

/**
 * A judge for one trusted root; make it once and keep it. Each signature needs a certificate that chains to the root
 * and that a log of certificates has seen, an entry in a transparency log, and a proven time within the certificate's
 * validity.
 * Errors: `bad-trusted-root` when a key or certificate of the root cannot be used.
 */
export function keylessVerifier(root: TrustedRoot): KeylessVerifier {
  const material = readMaterial(root);
  return {
    verify(bundle, signed) {
      try {
        return judge(material, { bundle, signed });
      } catch (error) {
        // The libraries say with exceptions what is wrong with a bundle; whatever they throw, nothing is let pass.
        if (error instanceof VerificationError && error.code === "SIGNATURE_ERROR")
          return refusal("bad-signature", "the signature does not fit the certificate: what was signed was changed");
        return refusal("bad-certificate", `the certificate or its log entry does not hold (${codeOf(error)})`);
      }
    },
  };
}

interface Material {
  verifier: Verifier;
  /** The certificates of all authorities of the root. */
  authorities: readonly X509Certificate[];
}

function readMaterial(root: TrustedRoot): Material {
  try {
    const parsed = SigstoreRoot.fromJSON(root.json);
    const material = toTrustMaterial(parsed as Parameters<typeof toTrustMaterial>[0]);
    const chains = parsed.certificateAuthorities.flatMap(({ certChain }) => certChain?.certificates ?? []);
    return {
      verifier: new Verifier(material, { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold: 1 }),
      authorities: chains.map(({ rawBytes }) => new X509Certificate(rawBytes)),
    };
  } catch (error) {
    throw new ContinuumError<TrustedRootErrorCode>(
      "bad-trusted-root",
      "a key or certificate of the trusted root cannot be read",
      { cause: error },
    );
  }
}

function judge(
  { verifier, authorities }: Material,
  { bundle, signed }: { bundle: CertifiedBundle; signed: SignedBytes },
): ({ ok: true } & CertifiedSigner) | Refusal {
  const certificate = new X509Certificate(bundle.certificates[0]);
  const hash = hashOf(certificate.publicKey);
  if (hash === undefined)
    return refusal("bad-certificate", "the certificate's key is not ECDSA on P-256, P-384 or P-521");
  if (!authorities.some((one) => isIssuedBy(certificate, one)))
    return refusal("bad-certificate", "no authority of the trusted root issued the certificate");
  const message = signed.message === undefined ? undefined : Buffer.from(signed.message);
  const entity = toSignedEntity(bundleFromJSON(bundle.json), message);
  // The library hashes with SHA-256 or with what the bundle says; the hash is the certificate's key's own.
  entity.signature.verifySignature = (key) => verify(hash, signed.bytes, { key, dsaEncoding: "der" }, bundle.signature);
  const { identity } = verifier.verify(entity);
  const subject = soleName(certificate);
  const issuer = identity?.extensions?.issuer;
  if (subject === null || subject !== identity?.subjectAlternativeName || issuer === undefined || issuer === "")
    return refusal("bad-certificate", "the certificate must name one issuer and one subject (URI or e-mail address)");
  return { ok: true, issuer, subject, provenAtMs: earliestTimeOf(entity) };
}

/**
 * The library takes the algorithm of the certificate's signature from the part that is not signed. OpenSSL, asked here,
 * wants it to be the same as in the signed part (RFC 5280, 4.1.1.2).
 */
function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

/** The one subject alternative name of the kinds that Sigstore's authority gives; null for none, several, or another kind. */
function soleName(certificate: X509Certificate): string | null {
  const [, name] = /^(?:URI|email):([^,"]+)$/.exec(certificate.subjectAltName ?? "") ?? [];
  return name ?? null;
}

/** Only called when all of them were verified. A log's time counts only where the log signed a promise with it. */
function earliestTimeOf({ timestamps }: SignedEntity): number | null {
  const times = timestamps.flatMap((one) => {
    if (one.$case === "timestamp-authority") return [one.timestamp.signingTime.getTime()];
    return one.tlogEntry.inclusionPromise === undefined ? [] : [Number(one.tlogEntry.integratedTime) * 1000];
  });
  return times.length === 0 ? null : Math.min(...times);
}

function codeOf(error: unknown): string {
  return error instanceof VerificationError ? error.code : "it cannot be read";
}
