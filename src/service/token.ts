import { createHash, randomBytes } from "node:crypto";

/**
 * A token is `ctm_<id>_<secret>`: 16 hexadecimal digits that name it in lists and logs, and 32 random bytes in base64url
 * that are its secret. Only the SHA-256 of the whole text is stored; with 256 bits of randomness a slow hash would
 * protect nothing more. The serving process knows invoke tokens by the same hash.
 */
const SHAPE = /^ctm_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/;

export interface NewToken {
  id: string;
  /** The whole token, shown once. */
  text: string;
  hash: Buffer;
}

export function newToken(): NewToken {
  const id = randomBytes(8).toString("hex");
  const text = `ctm_${id}_${randomBytes(32).toString("base64url")}`;
  return { id, text, hash: hashOf(text) };
}

/** What the store knows the token by; undefined when the text cannot be a token. */
export function tokenHash(text: string): Buffer | undefined {
  return SHAPE.test(text) ? hashOf(text) : undefined;
}

function hashOf(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
