import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { assert, type Parsed } from "../error.ts";

/** What a key signs with, by its own kind: no signature has a say in it. */
export type SignatureAlgorithm = "es256" | "es384" | "es512" | "ml-dsa-65";

/** A public key. What this project makes is ECDSA on P-256 or ML-DSA-65; what others made may be on a larger curve. */
export interface PublicKey {
  /** `sha256:` and the hexadecimal SHA-256 of the key's SubjectPublicKeyInfo in DER. */
  keyId: string;
  /** What a bundle names the key by, as cosign does: the same hash in base64. It is a hint and proves nothing. */
  hint: string;
  /** PEM in its one normal form, ended by a line feed. */
  spkiPem: string;
  key: KeyObject;
  algorithm: SignatureAlgorithm;
  /** What is signed is hashed with this first, by the curve's size (FIPS 186-5, 6.1.1); null where the scheme hashes. */
  hash: "sha256" | "sha384" | "sha512" | null;
}

/**
 * Reads one PEM block of type PUBLIC KEY on the curve P-256, and nothing else: no certificate, no private key, no
 * second block.
 */
export function parsePublicKey(pem: string): Parsed<PublicKey> {
  const parsed = parseVerificationKey(pem);
  if (!parsed.ok || parsed.value.algorithm === "es256") return parsed;
  return problem("must be an ECDSA key on the curve P-256 (prime256v1), as `keys generate` and cosign make");
}

/** As `parsePublicKey`, and takes P-384 and P-521, which model publishers use, and ML-DSA-65. */
export function parseVerificationKey(pem: string): Parsed<PublicKey> {
  if (pem.length > PEM_CHARACTERS_MAX) return problem("the key is too long to be a public key for signatures");
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    return problem("this is a private key; give the public key beside it (PEM, BEGIN PUBLIC KEY)");
  }
  if (!/^-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PUBLIC KEY-----$/.test(pem.trim())) {
    return problem("must be one PEM block that begins with -----BEGIN PUBLIC KEY-----");
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem.trim(), format: "pem" });
  } catch {
    return problem("the PEM block holds no public key");
  }
  if (schemeOf(key) === undefined)
    return problem("must be an ECDSA key on the curve P-256 (prime256v1), P-384 or P-521, or ML-DSA-65");
  return { ok: true, value: publicKeyOf(key) };
}

/** Describes a key object that is known to be public and of one of the kinds above. */
export function publicKeyOf(key: KeyObject): PublicKey {
  const scheme = schemeOf(key);
  assert(scheme !== undefined, "a public key of ours is ECDSA on one of three curves, or ML-DSA-65");
  const digest = createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest();
  return {
    keyId: `sha256:${digest.toString("hex")}`,
    hint: digest.toString("base64"),
    spkiPem: key.export({ type: "spki", format: "pem" }).toString(),
    key,
    ...scheme,
  };
}

export function isP256(key: KeyObject): boolean {
  return schemeOf(key)?.algorithm === "es256";
}

/** The hash of an ECDSA key on one of the three curves; undefined for any other key. */
export function hashOf(key: KeyObject): "sha256" | "sha384" | "sha512" | undefined {
  return schemeOf(key)?.hash ?? undefined;
}

type Scheme = Pick<PublicKey, "algorithm" | "hash">;

function schemeOf(key: KeyObject): Scheme | undefined {
  if (key.asymmetricKeyType === "ml-dsa-65") return { algorithm: "ml-dsa-65", hash: null };
  return key.asymmetricKeyType === "ec" ? CURVES.get(key.asymmetricKeyDetails?.namedCurve ?? "") : undefined;
}

const CURVES: ReadonlyMap<string, Scheme> = new Map([
  ["prime256v1", { algorithm: "es256", hash: "sha256" }],
  ["secp384r1", { algorithm: "es384", hash: "sha384" }],
  ["secp521r1", { algorithm: "es512", hash: "sha512" }],
]);
const PEM_CHARACTERS_MAX = 4096;

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
