import { readBundle } from "../evidence/bundle.ts";
import { verifyTrusted } from "../evidence/verify-trusted.ts";
import { sha256Digest } from "../plan/canonical.ts";
import { type Consent, decodeConsent } from "./statement.ts";

/** A key that a person registered as their own, and that counts now. */
export interface OwnKey {
  keyId: string;
  spkiPem: string;
}

export type ConsentVerdict = { ok: true; keyId: string; consent: Consent } | { ok: false; reason: string };

/** What personal keys sign; no key of any other purpose is ever tried. */
const PURPOSE = "approval";

/**
 * Whether one of the person's keys signed exactly these bytes, and what they say. Nothing that the bundle says of itself
 * counts: the payload must be the statement that was stored, byte for byte.
 */
export function verifyConsent(
  bundle: string | Uint8Array,
  { statement, keys }: { statement: Uint8Array; keys: readonly OwnKey[] },
): ConsentVerdict {
  const consent = decodeConsent(statement);
  if (!consent.ok) return { ok: false, reason: "the stored statement is none" };
  const trusted = verifyTrusted(bundle, {
    purpose: PURPOSE,
    predicateType: consent.value.type,
    trustedKeys: keys.map((key) => ({ ...key, purpose: PURPOSE })),
  });
  if (!trusted.ok) return { ok: false, reason: trusted.reason };
  if (trusted.payloadDigest !== sha256Digest(statement))
    return { ok: false, reason: "the bundle signs another statement than the one that was asked for" };
  return { ok: true, keyId: trusted.keyId, consent: consent.value };
}

/** The nonce that a bundle's payload names, to find the statement by; nothing is believed of it yet. */
export function nonceOfBundle(bundle: string | Uint8Array): string | undefined {
  const read = readBundle(bundle);
  if (!read.ok || read.value.kind !== "dsse") return undefined;
  const consent = decodeConsent(read.value.payload);
  return consent.ok ? consent.value.says.nonce : undefined;
}
