import { createHash } from "node:crypto";

/**
 * Who may sign what. A tenant trusts each signer for one purpose: whoever may say that tests passed may not thereby
 * approve a deployment. Everything is compared character by character; there are no patterns.
 */

export const SIGNING_PURPOSES = ["tests", "manifest", "image", "provenance", "approval", "policy"] as const;
export type Purpose = (typeof SIGNING_PURPOSES)[number];

export interface KeySigner {
  kind: "key";
  purpose: Purpose;
  /** `sha256:...` of the key's SPKI in DER; it must be the key's own. */
  keyId: string;
  spkiPem: string;
  /** From then on nothing is accepted from the signer; needs `nowMs`. */
  notAfterMs?: number;
}

/** Someone whom an OIDC issuer vouches for, as a certificate of a trusted certificate authority says. */
export interface IdentitySigner {
  kind: "identity";
  purpose: Purpose;
  /** The issuer's URL exactly as the certificate holds it. */
  issuer: string;
  /** The certificate's one subject alternative name (URI or e-mail address), exactly. */
  subject: string;
  notAfterMs?: number;
}

export type Signer = KeySigner | IdentitySigner;

/** A signer without what it is trusted for: what a verified signature proves. */
export type SignerName = { kind: "key"; keyId: string } | { kind: "identity"; issuer: string; subject: string };

/** One short id for either kind: a key's own id, or `identity:sha256:...` over issuer and subject. */
export function signerIdOf(signer: SignerName): string {
  if (signer.kind === "key") return signer.keyId;
  const named = JSON.stringify([signer.issuer, signer.subject]);
  return `identity:sha256:${createHash("sha256").update(named).digest("hex")}`;
}
