import type { CertifiedBundle } from "./bundle.ts";
import type { SignatureAlgorithm } from "./public-key.ts";
import type { Signer, SignerName } from "./signer.ts";

/** What a verifier is told beforehand, and how it answers. Nothing of it comes from what is verified. */

export interface TrustInput {
  /** Whom the tenant trusts, each for one purpose. */
  signers?: readonly Signer[];
  /** Keys alone, with a purpose that is any word: for a caller who was handed one key for one question. */
  trustedKeys?: readonly TrustedKey[];
  /** Needed for signatures with a certificate; without it each of them is refused. */
  keyless?: KeylessVerifier;
  nowMs?: number;
  /** Which keys are asked, by what they sign with; ECDSA on any of its curves where this is left out. */
  algorithms?: readonly SignatureAlgorithm[];
  /**
   * Older evidence is refused. Its age counts from a moment that is proven: a log's or a timestamp authority's for a
   * certificate, `acceptedAtMs` for a key. What a payload says of its own time never counts. Needs `nowMs`.
   */
  maxAgeMs?: number;
  /** When the evidence was accepted here, by our own clock. */
  acceptedAtMs?: number;
}

/** A public key that a person with the right to do so trusts for one purpose, and for no other. */
export interface TrustedKey {
  /** `sha256:...` of the key's SPKI in DER; it must be the key's own. */
  keyId: string;
  spkiPem: string;
  /** Compared as it is: a key for `tests` signs nothing else. */
  purpose: string;
  /** From then on nothing is accepted from the key; needs `nowMs`. */
  notAfterMs?: number;
}

/** Judges signatures with certificates against a trusted root that was pinned; `keyless.ts` makes one. */
export interface KeylessVerifier {
  /**
   * Whether the signature, the certificate's chain, its log entries and timestamps hold, all offline. Whether the
   * identity is trusted is not asked here.
   */
  verify(bundle: CertifiedBundle, signed: SignedBytes): ({ ok: true } & CertifiedSigner) | Refusal;
}

export interface CertifiedSigner {
  issuer: string;
  subject: string;
  /** When a log or a timestamp authority saw the signature, null where none did. Of several moments the earliest. */
  provenAtMs: number | null;
}

/** What a signature is over. */
export interface SignedBytes {
  bytes: Uint8Array;
  /** The file itself where the bundle only holds its digest; then it is `bytes` too. */
  message?: Uint8Array;
}

/** A signature that holds, made by someone who is trusted for the purpose. */
export interface Proof {
  signer: SignerName;
  /** `signerIdOf(signer)`: for a key its own id. */
  keyId: string;
  /** When the signature is proven to have existed; null where nothing proves it. */
  provenAtMs: number | null;
}

export type RefusalCode =
  | "malformed-bundle"
  | "malformed-statement"
  | "untrusted-key"
  | "untrusted-identity"
  | "bad-signature"
  | "bad-certificate"
  | "wrong-purpose"
  | "expired-key"
  | "stale"
  | "wrong-predicate-type"
  | "wrong-subject"
  | "wrong-builder"
  | "wrong-files"
  | "missing-signature"
  | "not-passed"
  | "not-available";

/** A refusal is an answer, not an error. `reason` is one sentence for a person and holds nothing of the payload's names. */
export interface Refusal {
  ok: false;
  code: RefusalCode;
  reason: string;
}

/** The list of who is trusted is itself broken: nothing can be decided with it. */
export type TrustErrorCode = "bad-trusted-key";

export function refusal(code: RefusalCode, reason: string): Refusal {
  return { ok: false, code, reason };
}
