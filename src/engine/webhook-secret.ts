import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import { ContinuumError } from "../core/error.ts";

/**
 * The form in which a webhook's secret lies in the database, bound to its tenant and webhook:
 *
 *     0   1  version, 1
 *     1   8  key id: the first bytes of a hash of the sealing key
 *     9  12  nonce
 *    21   n  AES-256-GCM ciphertext
 *  21+n  16  tag; tenant and webhook are the associated data
 *
 * The cipher's key is HKDF-SHA-256 of the sealing key, so that the same bytes may serve for something else as well.
 */
export interface SecretOwner {
  tenant: string;
  webhook: string;
}

/** `secret-unreadable`: sealed under another key, for another webhook, or changed. */
export type WebhookSecretErrorCode = "secret-unreadable" | "bad-sealing-key";

const VERSION = 1;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const NONCE_AT = 1 + KEY_ID_BYTES;
const TEXT_AT = NONCE_AT + 12;
const TAG_BYTES = 16;
const SECRET_BYTES = 32;

/** What a receiver verifies with; 256 bits, within the 192 to 512 that Standard Webhooks asks for. */
export function newWebhookSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** As it is shown, once: `whsec_` and base64. */
export function shownSecret(secret: Uint8Array): string {
  return `whsec_${Buffer.from(secret).toString("base64")}`;
}

export function sealSecret(sealingKey: Uint8Array, owner: SecretOwner, secret: Uint8Array): Buffer {
  const key = cipherKey(sealingKey);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(associatedData(owner));
  const text = Buffer.concat([cipher.update(secret), cipher.final()]);
  return Buffer.concat([Buffer.from([VERSION]), keyId(key), nonce, text, cipher.getAuthTag()]);
}

/** Errors: `secret-unreadable`. */
export function openSecret(sealingKey: Uint8Array, owner: SecretOwner, sealed: Uint8Array): Buffer {
  const key = cipherKey(sealingKey);
  const bytes = Buffer.from(sealed);
  if (bytes.length < TEXT_AT + TAG_BYTES || bytes[0] !== VERSION) throw unreadable("it has another form");
  if (!bytes.subarray(1, NONCE_AT).equals(keyId(key))) {
    throw unreadable("it was sealed under another key: every API and worker needs the same webhooks.keyReference");
  }
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(NONCE_AT, TEXT_AT));
  decipher.setAAD(associatedData(owner));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(TEXT_AT, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw unreadable("it was changed, or is another webhook's");
  }
}

/** A sealing key from a secret: 32 raw bytes, or 64 hexadecimal digits with white space around them. */
export function webhookSealingKey(secret: Uint8Array): Uint8Array {
  const text = Buffer.from(secret).toString("latin1").trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, "hex") : Buffer.from(secret);
  if (bytes.length === KEY_BYTES) return bytes;
  const message = "the key behind webhooks.keyReference must be 32 bytes, or 64 hexadecimal digits";
  throw new ContinuumError<WebhookSecretErrorCode>("bad-sealing-key", message);
}

function cipherKey(sealingKey: Uint8Array): Buffer {
  return Buffer.from(hkdfSync("sha256", sealingKey, "", "continuum webhook secrets", KEY_BYTES));
}

function keyId(key: Uint8Array): Buffer {
  return createHash("sha256").update("key id").update(key).digest().subarray(0, KEY_ID_BYTES);
}

function associatedData({ tenant, webhook }: SecretOwner): Buffer {
  return Buffer.from(JSON.stringify([tenant, webhook]));
}

function unreadable(why: string): ContinuumError<WebhookSecretErrorCode> {
  return new ContinuumError("secret-unreadable", `the webhook's secret cannot be read: ${why}`);
}
