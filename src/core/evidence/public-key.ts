import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import type { Parsed } from "../error.ts";

/** An ECDSA P-256 public key, the only kind that is trusted until another is needed. */
export interface PublicKey {
  /** `sha256:` and the hexadecimal SHA-256 of the key's SubjectPublicKeyInfo in DER. */
  keyId: string;
  /** What a bundle names the key by, as cosign does: the same hash in base64. It is a hint and proves nothing. */
  hint: string;
  /** PEM in its one normal form, ended by a line feed. */
  spkiPem: string;
  key: KeyObject;
}

/** Reads one PEM block of type PUBLIC KEY, and nothing else: no certificate, no private key, no second block. */
export function parsePublicKey(pem: string): Parsed<PublicKey> {
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
  if (!isP256(key))
    return problem("must be an ECDSA key on the curve P-256 (prime256v1), as `keys generate` and cosign make");
  return { ok: true, value: publicKeyOf(key) };
}

/** Describes a key object that is known to be P-256 and public. */
export function publicKeyOf(key: KeyObject): PublicKey {
  const hash = createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest();
  return {
    keyId: `sha256:${hash.toString("hex")}`,
    hint: hash.toString("base64"),
    spkiPem: key.export({ type: "spki", format: "pem" }).toString(),
    key,
  };
}

export function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1";
}

const PEM_CHARACTERS_MAX = 4096;

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
