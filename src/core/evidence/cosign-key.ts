import { createPrivateKey, type KeyObject, scryptSync } from "node:crypto";
import nacl from "tweetnacl";
import { z } from "zod";
import type { Parsed } from "../error.ts";
import { decodeBase64 } from "./base64.ts";
import { isP256 } from "./public-key.ts";
import { type RandomBytes, type SigningKey, signingKeyOf } from "./signing-key.ts";

/**
 * Key files that cosign reads and writes: a PEM block around JSON, in which the PKCS #8 key lies in a NaCl secretbox
 * under an scrypt of the password. Source of the format: go-securesystemslib `encrypted`, cosign `pkg/cosign/keys.go`.
 */

/** A key file for `cosign.key`. `random` is asked for the salt and the nonce. */
export function writeCosignKey(key: SigningKey, options: { password: string; random: RandomBytes }): string {
  const salt = options.random(SALT_BYTES);
  const nonce = options.random(nacl.secretbox.nonceLength);
  const secret = deriveKey(options.password, salt, SCRYPT_WRITTEN);
  const pkcs8 = key.privateKey.export({ type: "pkcs8", format: "der" });
  const file = {
    kdf: { name: "scrypt", params: SCRYPT_WRITTEN, salt: base64(salt) },
    cipher: { name: "nacl/secretbox", nonce: base64(nonce) },
    ciphertext: base64(nacl.secretbox(new Uint8Array(pkcs8), nonce, secret)),
  };
  const body = base64(Buffer.from(JSON.stringify(file))).replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN ${TYPE_WRITTEN}-----\n${body}-----END ${TYPE_WRITTEN}-----\n`;
}

/** Opens a key file. The problem never holds anything of the file or the password. */
export function readCosignKey(pem: string, password: string): Parsed<SigningKey> {
  if (pem.length > FILE_CHARACTERS_MAX) return problem("the file is too long to be a key file");
  const [, type, body = ""] = PEM_BLOCK.exec(pem.trim()) ?? [];
  if (type === undefined) return problem(`must be a cosign key file: a PEM block of type ${TYPE_WRITTEN}`);
  const file = readFile(body);
  if (file === null) return problem("the PEM block does not hold an encrypted key as cosign writes it");
  const { N, r, p } = file.kdf.params;
  // The parameters are the file's own: without a list, a crafted file could ask for all the memory there is.
  if (r !== 8 || p !== 1 || !SCRYPT_COSTS.has(N))
    return problem("the key file asks for scrypt parameters that cosign never writes");
  const secret = deriveKey(password, file.kdf.salt, { N, r, p });
  const pkcs8 = nacl.secretbox.open(file.ciphertext, file.cipher.nonce, secret);
  if (pkcs8 === null) return problem("the key file does not open with this password");
  return readPrivateKey(pkcs8);
}

const TYPE_WRITTEN = "ENCRYPTED SIGSTORE PRIVATE KEY";
const PEM_BLOCK =
  /^-----BEGIN (ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY)-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END \1-----$/;
const FILE_CHARACTERS_MAX = 16_384;
const SALT_BYTES = 32;
const SCRYPT_WRITTEN = { N: 65_536, r: 8, p: 1 };
/** What go-securesystemslib has written over the years; the largest takes 128 MiB. */
const SCRYPT_COSTS: ReadonlySet<number> = new Set([32_768, 65_536, 131_072]);
const SCRYPT_MEMORY_BYTES_MAX = 256 * 1024 * 1024;

const bytes = z.string().transform((text, context) => {
  const decoded = decodeBase64(text);
  if (decoded !== null) return new Uint8Array(decoded);
  context.addIssue({ code: "custom", message: "must be base64" });
  return z.NEVER;
});

const fileSchema = z.strictObject({
  kdf: z.strictObject({
    name: z.literal("scrypt"),
    params: z.strictObject({ N: z.number().int(), r: z.number().int(), p: z.number().int() }),
    salt: bytes.refine((salt) => salt.length === SALT_BYTES),
  }),
  cipher: z.strictObject({
    name: z.literal("nacl/secretbox"),
    nonce: bytes.refine((nonce) => nonce.length === nacl.secretbox.nonceLength),
  }),
  ciphertext: bytes.refine((ciphertext) => ciphertext.length > nacl.secretbox.overheadLength),
});

function readFile(body: string): z.infer<typeof fileSchema> | null {
  try {
    const parsed = fileSchema.safeParse(JSON.parse(Buffer.from(body, "base64").toString("utf8")));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function readPrivateKey(pkcs8: Uint8Array): Parsed<SigningKey> {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
  } catch {
    return problem("what the key file encrypts is no private key");
  }
  return isP256(key) ? { ok: true, value: signingKeyOf(key) } : problem("the key must be ECDSA on the curve P-256");
}

function deriveKey(password: string, salt: Uint8Array, cost: { N: number; r: number; p: number }): Uint8Array {
  const options = { ...cost, maxmem: SCRYPT_MEMORY_BYTES_MAX };
  return new Uint8Array(scryptSync(Buffer.from(password, "utf8"), salt, nacl.secretbox.keyLength, options));
}

function base64(value: Uint8Array): string {
  return Buffer.from(value).toString("base64");
}

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
