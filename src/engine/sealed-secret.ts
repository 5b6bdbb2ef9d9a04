import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import { ContinuumError } from "../core/error.ts";

/**
 * The form in which a secret lies in the database, bound to what it is for and whose it is:
 *
 *     0   1  version, 1
 *     1   8  key id: the first bytes of a hash of the sealing key
 *     9  12  nonce
 *    21   n  AES-256-GCM ciphertext
 *  21+n  16  tag; the owner is the associated data
 *
 * The cipher's key is HKDF-SHA-256 of the sealing key for one use, so that the same bytes may serve for others as well
 * and what was sealed for one use opens for no other.
 */
export interface Sealing {
  /** What the key is derived for, such as `continuum webhook secrets`. */
  use: string;
  /** Whose it is: every part, in one order. */
  owner: readonly string[];
  /** For errors: `the webhook's secret`. */
  what: string;
}

/** `secret-unreadable`: sealed under another key, for another owner, or changed. */
export type SealedSecretErrorCode = "secret-unreadable" | "bad-sealing-key";

const VERSION = 1;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const NONCE_AT = 1 + KEY_ID_BYTES;
const TEXT_AT = NONCE_AT + 12;
const TAG_BYTES = 16;

export function seal(sealingKey: Uint8Array, sealing: Sealing, secret: Uint8Array): Buffer {
  const key = cipherKey(sealingKey, sealing);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(associatedData(sealing));
  const text = Buffer.concat([cipher.update(secret), cipher.final()]);
  return Buffer.concat([Buffer.from([VERSION]), keyId(key), nonce, text, cipher.getAuthTag()]);
}

/** Errors: `secret-unreadable`. */
export function unseal(sealingKey: Uint8Array, sealing: Sealing, sealed: Uint8Array): Buffer {
  const key = cipherKey(sealingKey, sealing);
  const bytes = Buffer.from(sealed);
  if (bytes.length < TEXT_AT + TAG_BYTES || bytes[0] !== VERSION) throw unreadable(sealing, "it has another form");
  if (!bytes.subarray(1, NONCE_AT).equals(keyId(key))) {
    const why = "it was sealed under another key: every API and worker needs the same webhooks.keyReference";
    throw unreadable(sealing, why);
  }
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(NONCE_AT, TEXT_AT));
  decipher.setAAD(associatedData(sealing));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(TEXT_AT, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw unreadable(sealing, "it was changed, or is another's");
  }
}

function cipherKey(sealingKey: Uint8Array, { use }: Sealing): Buffer {
  return Buffer.from(hkdfSync("sha256", sealingKey, "", use, KEY_BYTES));
}

function keyId(key: Uint8Array): Buffer {
  return createHash("sha256").update("key id").update(key).digest().subarray(0, KEY_ID_BYTES);
}

function associatedData({ owner }: Sealing): Buffer {
  return Buffer.from(JSON.stringify(owner));
}

function unreadable({ what }: Sealing, why: string): ContinuumError<SealedSecretErrorCode> {
  return new ContinuumError("secret-unreadable", `${what} cannot be read: ${why}`);
}
