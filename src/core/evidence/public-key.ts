import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { assert, type Parsed } from "../error.ts";

/** An ECDSA public key. What this project makes is on the curve P-256; what others made may be on a larger one. */
export interface PublicKey {
  /** `sha256:` and the hexadecimal SHA-256 of the key's SubjectPublicKeyInfo in DER. */
  keyId: string;
  /** What a bundle names the key by, as cosign does: the same hash in base64. It is a hint and proves nothing. */
  hint: string;
  /** PEM in its one normal form, ended by a line feed. */
  spkiPem: string;
  key: KeyObject;
  /** What is signed is hashed with this, by the curve's size (FIPS 186-5, 6.1.1): no signature has a say in it. */
  hash: "sha256" | "sha384" | "sha512";
}

/**
 * Reads one PEM block of type PUBLIC KEY on the curve P-256, and nothing else: no certificate, no private key, no
 * second block.
 */
export function parsePublicKey(pem: string): Parsed<PublicKey> {
  const parsed = parseVerificationKey(pem);
  if (!parsed.ok || isP256(parsed.value.key)) return parsed;
  return problem("must be an ECDSA key on the curve P-256 (prime256v1), as `keys generate` and cosign make");
}

/** As `parsePublicKey`, and takes the curves P-384 and P-521 as well: model publishers use them. */
export function parseVerificationKey(pem: string): Parsed<PublicKey> {
  if (pem.length > PEM_CHARACTERS_MAX) return problem("the key is too long to be a P-256 public key");
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
  if (hashOf(key) === undefined) return problem("must be an ECDSA key on the curve P-256 (prime256v1), P-384 or P-521");
  return { ok: true, value: publicKeyOf(key) };
}

/** Describes a key object that is known to be public and on one of the three curves. */
export function publicKeyOf(key: KeyObject): PublicKey {
  const digest = hashOf(key);
  assert(digest !== undefined, "a public key of ours is ECDSA on one of three curves");
  const hash = createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest();
  return {
    keyId: `sha256:${hash.toString("hex")}`,
    hint: hash.toString("base64"),
    spkiPem: key.export({ type: "spki", format: "pem" }).toString(),
    key,
    hash: digest,
  };
}

export function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1";
}

export function hashOf(key: KeyObject): PublicKey["hash"] | undefined {
  const curve = key.asymmetricKeyType === "ec" ? (key.asymmetricKeyDetails?.namedCurve ?? "") : "";
  return HASHES.get(curve);
}

const HASHES: ReadonlyMap<string, PublicKey["hash"]> = new Map([
  ["prime256v1", "sha256"],
  ["secp384r1", "sha384"],
  ["secp521r1", "sha512"],
]);
const PEM_CHARACTERS_MAX = 4096;

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
