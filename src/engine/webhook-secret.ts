import { randomBytes } from "node:crypto";
import { ContinuumError } from "../core/error.ts";
import { type SealedSecretErrorCode, type Sealing, seal, unseal } from "./sealed-secret.ts";

export interface SecretOwner {
  tenant: string;
  webhook: string;
}

const KEY_BYTES = 32;
const SECRET_BYTES = 32;

/** What a receiver verifies with; 256 bits, within the 192 to 512 that Standard Webhooks asks for. */
export function newWebhookSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** As it is shown, once: `whsec_` and base64. */
export function shownSecret(secret: Uint8Array): string {
  return `whsec_${Buffer.from(secret).toString("base64")}`;
}

/** The form in which a webhook's secret lies in the database, bound to its tenant and webhook. */
export function sealSecret(sealingKey: Uint8Array, owner: SecretOwner, secret: Uint8Array): Buffer {
  return seal(sealingKey, sealingOf(owner), secret);
}

/** Errors: `secret-unreadable`. */
export function openSecret(sealingKey: Uint8Array, owner: SecretOwner, sealed: Uint8Array): Buffer {
  return unseal(sealingKey, sealingOf(owner), sealed);
}

/** A sealing key from a secret: 32 raw bytes, or 64 hexadecimal digits with white space around them. */
export function webhookSealingKey(secret: Uint8Array): Uint8Array {
  const text = Buffer.from(secret).toString("latin1").trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, "hex") : Buffer.from(secret);
  if (bytes.length === KEY_BYTES) return bytes;
  const message = "the key behind webhooks.keyReference must be 32 bytes, or 64 hexadecimal digits";
  throw new ContinuumError<SealedSecretErrorCode>("bad-sealing-key", message);
}

function sealingOf({ tenant, webhook }: SecretOwner): Sealing {
  return { use: "continuum webhook secrets", owner: [tenant, webhook], what: "the webhook's secret" };
}
