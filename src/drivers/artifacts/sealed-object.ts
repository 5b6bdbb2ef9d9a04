import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { ContinuumError } from "../../core/error.ts";
import type { ArtifactErrorCode } from "./artifacts.ts";

/**
 * The form in which an artifact lies on a medium: a header that can be read and authenticated by itself, then
 * AES-256-GCM. Numbers are big-endian.
 *
 *     0   8  magic "CTMARTF1"
 *     8   8  key id: the first bytes of a hash of the store key
 *    16   8  plaintext size in bytes
 *    24   8  created, milliseconds since 1970
 *    32  32  salt of this object's key
 *    64  32  HMAC-SHA-256 of the 64 bytes before, the tenant and the digest
 *    96   n  ciphertext
 *   96+n 16  GCM tag; header, tenant and digest are its associated data
 *
 * Every object has a key of its own, HKDF-SHA-256 over the store key with the object's random salt and its tenant, so
 * that no nonce is ever used twice and a tenant's object cannot be opened as another's.
 */
export interface StoreKey {
  /** 8 bytes that name the key without saying anything of it. */
  readonly id: Buffer;
  /** 32 bytes. */
  readonly secret: Uint8Array;
}

export interface ObjectName {
  tenant: string;
  /** `sha256:` and 64 hexadecimal digits, of the plaintext. */
  digest: string;
}

export interface ObjectHeader {
  sizeBytes: number;
  createdAtMs: number;
}

export const HEADER_BYTES = 96;
export const TAG_BYTES = 16;

/** A store key from a secret: 32 raw bytes, or 64 hexadecimal digits with white space around them. */
export function storeKey(secret: Uint8Array): StoreKey {
  const text = Buffer.from(secret).toString("latin1").trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, "hex") : Buffer.from(secret);
  if (bytes.length !== KEY_BYTES) {
    throw failure("store-failed", "the artifact store's key must be 32 bytes, or 64 hexadecimal digits");
  }
  return { id: derive(bytes, { salt: "", use: "key id", bytes: 8 }), secret: bytes };
}

/** The folder of a tenant: the same for all its objects, and no help in finding out who it is. */
export function tenantFolder(key: StoreKey, tenant: string): string {
  const folderKey = derive(key.secret, { salt: "", use: "tenant folders", bytes: KEY_BYTES });
  return createHmac("sha256", folderKey).update(tenant).digest("hex");
}

/** The pieces in which bytes are hashed, encrypted and decrypted, so that a large model never holds up the process. */
export const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Encrypts piece by piece; the pieces in their order are the object. `name.digest` must be the digest of `plaintext`,
 * which must not change until the last piece was taken.
 */
export function* seal(
  key: StoreKey,
  name: ObjectName,
  object: { plaintext: Uint8Array; createdAtMs: number },
): Generator<Buffer, void, undefined> {
  const content = sealer(key, name, { sizeBytes: object.plaintext.length, createdAtMs: object.createdAtMs });
  yield content.header;
  for (let at = 0; at < object.plaintext.length; at += PIECE_BYTES) {
    yield content.update(object.plaintext.subarray(at, at + PIECE_BYTES));
  }
  yield content.finish();
}

/** Encrypts what comes piece by piece; header, what `update` answers and what `finish` answers are the object. */
export interface Sealer {
  header: Buffer;
  update(plaintext: Uint8Array): Buffer;
  finish(): Buffer;
}

/** A new object under a key of its own. What comes must have the size and the digest that are said here. */
export function sealer(key: StoreKey, name: ObjectName, stated: ObjectHeader): Sealer {
  const salt = randomBytes(SALT_BYTES);
  const fixed = Buffer.alloc(FIXED_BYTES);
  fixed.set(MAGIC, 0);
  fixed.set(key.id, 8);
  fixed.writeBigUInt64BE(BigInt(stated.sizeBytes), 16);
  fixed.writeBigUInt64BE(BigInt(stated.createdAtMs), 24);
  fixed.set(salt, 32);
  const header = Buffer.concat([fixed, headerMac(key, name, fixed)]);
  const cipher = createCipheriv("aes-256-gcm", objectKey(key, name, salt), NONCE);
  cipher.setAAD(associatedData(header, name));
  return {
    header,
    update: (plaintext) => cipher.update(plaintext),
    finish: () => Buffer.concat([cipher.final(), cipher.getAuthTag()]),
  };
}

/** The name of the key that an object says it was sealed with; undefined when the bytes are no object's. */
export function statedKeyId(first: Uint8Array): Buffer | undefined {
  const header = Buffer.from(first.subarray(0, HEADER_BYTES));
  return header.length === HEADER_BYTES && header.subarray(0, 8).equals(MAGIC) ? header.subarray(8, 16) : undefined;
}

/**
 * What an object's first bytes say, once they are shown to be this store's own.
 * Errors: `corrupt` when they are not: another format, another key, another tenant or digest, or changed.
 */
export function readHeader(key: StoreKey, name: ObjectName, first: Uint8Array, fileBytes: number): ObjectHeader {
  const header = Buffer.from(first.subarray(0, HEADER_BYTES));
  if (header.length < HEADER_BYTES || !header.subarray(0, 8).equals(MAGIC))
    throw corrupt(name, "it is no encrypted object");
  if (!header.subarray(8, 16).equals(key.id)) throw corrupt(name, "it was encrypted with another key");
  if (!timingSafeEqual(header.subarray(FIXED_BYTES), headerMac(key, name, header.subarray(0, FIXED_BYTES)))) {
    throw corrupt(name, "its header is not authentic");
  }
  const sizeBytes = Number(header.readBigUInt64BE(16));
  if (fileBytes !== sizeBytes + HEADER_BYTES + TAG_BYTES) throw corrupt(name, "its length is not what its header says");
  return { sizeBytes, createdAtMs: Number(header.readBigUInt64BE(24)) };
}

/** Decrypts what follows an object's header. Nothing that `update` answers may be used before `finish` returned. */
export interface Opener {
  update(ciphertext: Uint8Array): Buffer;
  /** Errors: `corrupt` when content, header, tenant or digest is not what was sealed. */
  finish(tag: Uint8Array): void;
}

/** `header` must have passed `readHeader`. The content is authenticated, and its digest taken again. */
export function opener(key: StoreKey, name: ObjectName, header: Uint8Array): Opener {
  const secret = objectKey(key, name, header.subarray(32, 64));
  const decipher = createDecipheriv("aes-256-gcm", secret, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(header, name));
  const hash = createHash("sha256");
  return {
    update(ciphertext) {
      const plaintext = decipher.update(ciphertext);
      hash.update(plaintext);
      return plaintext;
    },
    finish(tag) {
      decipher.setAuthTag(tag);
      try {
        decipher.final();
      } catch (cause) {
        throw corrupt(name, "its content is not authentic", cause);
      }
      if (`sha256:${hash.digest("hex")}` !== name.digest) throw corrupt(name, "its content has another digest");
    },
  };
}

/** The plaintext of an object that is at hand as a whole. Errors: `corrupt`. */
export function open(key: StoreKey, name: ObjectName, object: Uint8Array): Buffer {
  readHeader(key, name, object, object.length);
  const content = opener(key, name, object.subarray(0, HEADER_BYTES));
  const plaintext = content.update(object.subarray(HEADER_BYTES, -TAG_BYTES));
  content.finish(object.subarray(-TAG_BYTES));
  return plaintext;
}

const MAGIC = Buffer.from("CTMARTF1");
const KEY_BYTES = 32;
const SALT_BYTES = 32;
const FIXED_BYTES = 64;
/** Constant because no key ever encrypts twice: each comes from a fresh 256-bit salt. */
const NONCE = Buffer.alloc(12);

function objectKey(key: StoreKey, { tenant }: ObjectName, salt: Uint8Array): Buffer {
  return derive(key.secret, { salt, use: `object of ${tenant}`, bytes: KEY_BYTES });
}

function headerMac(key: StoreKey, name: ObjectName, fixed: Uint8Array): Buffer {
  const macKey = derive(key.secret, { salt: "", use: `header of ${name.tenant}`, bytes: KEY_BYTES });
  return createHmac("sha256", macKey).update(associatedData(fixed, name)).digest();
}

/** Header and digest have fixed lengths, so that no two names give the same bytes. */
function associatedData(header: Uint8Array, { tenant, digest }: ObjectName): Buffer {
  return Buffer.concat([header, Buffer.from(digest, "latin1"), Buffer.from(tenant, "utf8")]);
}

function derive(
  secret: Uint8Array,
  { salt, use, bytes }: { salt: string | Uint8Array; use: string; bytes: number },
): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, salt, `continuum artifacts v1: ${use}`, bytes));
}

function corrupt({ digest }: ObjectName, why: string, cause?: unknown): ContinuumError<ArtifactErrorCode> {
  return failure("corrupt", `the stored artifact ${digest} cannot be used: ${why}`, cause);
}

function failure(code: ArtifactErrorCode, message: string, cause?: unknown): ContinuumError<ArtifactErrorCode> {
  return new ContinuumError<ArtifactErrorCode>(code, message, { cause });
}
