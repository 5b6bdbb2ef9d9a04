import { verify } from "node:crypto";
import { ContinuumError } from "../error.ts";
import type { CertifiedBundle } from "./bundle.ts";
import { type PublicKey, parseVerificationKey, type SignatureAlgorithm } from "./public-key.ts";
import { signerIdOf } from "./signer.ts";
import {
  type Proof,
  type Refusal,
  refusal,
  type SignedBytes,
  type TrustErrorCode,
  type TrustedKey,
  type TrustInput,
} from "./trust.ts";

export interface SignatureQuestion extends TrustInput {
  purpose: string;
}

export interface QuestionedSignature extends SignedBytes {
  signature: Uint8Array;
  /** What the signature says of its key. It only chooses between two wordings of a refusal. */
  hint?: string;
  /** The certificate and what vouches for it, where a key is not what is trusted. */
  certified?: CertifiedBundle | null;
}

/**
 * Who among the trusted made the signature over exactly these bytes, for the purpose, early enough. Each trusted key is
 * tried, because what a signature says of its signer could be anything.
 * Errors: `bad-trusted-key` when the list of trusted keys itself is broken.
 */
export function findSigner(signed: QuestionedSignature, required: SignatureQuestion): ({ ok: true } & Proof) | Refusal {
  const { certified } = signed;
  const found = certified ? findIdentity(certified, signed, required) : findKey(signed, required);
  return found.ok ? checkAge(found, required) : found;
}

function findKey(signed: QuestionedSignature, required: SignatureQuestion): ({ ok: true } & Proof) | Refusal {
  const { algorithms = CLASSICAL } = required;
  const keys = trustedKeysOf(required)
    .map((trusted) => ({ trusted, key: readTrustedKey(trusted) }))
    .filter(({ key }) => algorithms.includes(key.algorithm));
  const signers = keys.filter(({ key }) => isMadeBy(key, signed)).map(({ trusted }) => trusted);
  if (signers.length === 0) {
    const isKnown = keys.some(({ key }) => key.hint === signed.hint);
    return isKnown
      ? refusal(
          "bad-signature",
          "the signature does not fit: what was signed was changed, or the key named did not sign it",
        )
      : refusal("untrusted-key", "no trusted key made this signature");
  }
  const chosen = chooseSigner(signers, required, "the key that signed this");
  if (!chosen.ok) return chosen;
  const { keyId } = chosen.trusted;
  return { ok: true, signer: { kind: "key", keyId }, keyId, provenAtMs: required.acceptedAtMs ?? null };
}

function findIdentity(
  certified: CertifiedBundle,
  signed: SignedBytes,
  required: SignatureQuestion,
): ({ ok: true } & Proof) | Refusal {
  if (required.algorithms !== undefined)
    return refusal("untrusted-key", "the signature has a certificate where one of a key's own was asked for");
  if (required.keyless === undefined)
    return refusal("not-available", "the signature has a certificate, and no trusted root is set to judge it by");
  const verdict = required.keyless.verify(certified, signed);
  if (!verdict.ok) return verdict;
  const { issuer, subject, provenAtMs } = verdict;
  const identities = (required.signers ?? []).filter((signer) => signer.kind === "identity");
  const signers = identities.filter((trusted) => trusted.issuer === issuer && trusted.subject === subject);
  if (signers.length === 0) return refusal("untrusted-identity", "the certificate is about nobody who is trusted");
  const chosen = chooseSigner(signers, required, "the identity that signed this");
  if (!chosen.ok) return chosen;
  const signer = { kind: "identity" as const, issuer, subject };
  const knownAtMs = provenAtMs ?? required.acceptedAtMs ?? null;
  return { ok: true, signer, keyId: signerIdOf(signer), provenAtMs: knownAtMs };
}

function chooseSigner<T extends { purpose: string; notAfterMs?: number }>(
  signers: readonly T[],
  { purpose, nowMs }: SignatureQuestion,
  who: string,
): { ok: true; trusted: T } | Refusal {
  const fitting = signers.filter((trusted) => trusted.purpose === purpose);
  if (fitting.length === 0) return refusal("wrong-purpose", `${who} is not trusted for ${purpose}`);
  const trusted = fitting.find((one) => !isExpired(one, nowMs));
  return trusted === undefined ? refusal("expired-key", `${who} is no longer trusted`) : { ok: true, trusted };
}

/** A signer with an end is only good for those who know what time it is. */
function isExpired({ notAfterMs }: { notAfterMs?: number }, nowMs: number | undefined): boolean {
  return notAfterMs !== undefined && (nowMs === undefined || nowMs >= notAfterMs);
}

function checkAge(
  proof: { ok: true } & Proof,
  { maxAgeMs, nowMs }: SignatureQuestion,
): ({ ok: true } & Proof) | Refusal {
  const { provenAtMs } = proof;
  if (provenAtMs !== null && nowMs !== undefined && provenAtMs > nowMs + CLOCK_SKEW_MS_MAX)
    return refusal("stale", "the signature is dated later than now: one of the clocks is wrong");
  if (maxAgeMs === undefined) return proof;
  if (nowMs === undefined || provenAtMs === null) return refusal("stale", "nothing proves how old the signature is");
  return nowMs - provenAtMs > maxAgeMs
    ? refusal("stale", "the signature is older than evidence may be; make it anew")
    : proof;
}

/** A post-quantum key never stands for one of these: who wants it asks for it, beside them. */
const CLASSICAL: readonly SignatureAlgorithm[] = ["es256", "es384", "es512"];
/** What two honest clocks may differ by. */
const CLOCK_SKEW_MS_MAX = 5 * 60 * 1000;

function trustedKeysOf({ signers = [], trustedKeys = [] }: TrustInput): TrustedKey[] {
  return [...trustedKeys, ...signers.filter((signer) => signer.kind === "key")];
}

function readTrustedKey(trusted: TrustedKey): PublicKey {
  const parsed = parseVerificationKey(trusted.spkiPem);
  if (parsed.ok && parsed.value.keyId === trusted.keyId) return parsed.value;
  const why = parsed.ok ? "its id is another key's" : parsed.problem.message;
  throw new ContinuumError<TrustErrorCode>(
    "bad-trusted-key",
    `the trusted key ${trusted.keyId} cannot be used: ${why}`,
  );
}

/** The hash is the key's own and never the signature's to choose. */
function isMadeBy({ key, hash }: PublicKey, { bytes, signature }: QuestionedSignature): boolean {
  return verify(hash, bytes, { key, dsaEncoding: "der" }, signature);
}
