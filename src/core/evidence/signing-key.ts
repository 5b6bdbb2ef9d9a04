import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { assert } from "../error.ts";
import { type PublicKey, publicKeyOf } from "./public-key.ts";

/** A key that can sign, ECDSA on P-256 or ML-DSA-65, with the public key that belongs to it. */
export interface SigningKey {
  privateKey: KeyObject;
  publicKey: PublicKey;
}

/** Answers `n` bytes that nobody can guess: `crypto.randomBytes`, handed in because core draws nothing by itself. */
export type RandomBytes = (n: number) => Uint8Array;

/** A new key. The scalar is drawn until it lies in 1..n-1, so that every key is as likely as every other (FIPS 186-5, A.2.2). */
export function generateSigningKey(random: RandomBytes): SigningKey {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const scalar = Buffer.from(random(SCALAR_BYTES));
    assert(scalar.length === SCALAR_BYTES, "the source of randomness answers as many bytes as were asked for");
    const number = BigInt(`0x${scalar.toString("hex")}`);
    if (number > 0n && number < P256_ORDER) return signingKeyOf(privateKeyFromScalar(scalar));
  }
  throw new Error("broken invariant: a source of randomness yields a P-256 key within a few draws");
}

/** A new ML-DSA-65 key (FIPS 204); the 32 random bytes are its seed, from which it can be made again. */
export function generatePostQuantumKey(random: RandomBytes): SigningKey {
  const seed = Buffer.from(random(SEED_BYTES));
  assert(seed.length === SEED_BYTES, "the source of randomness answers as many bytes as were asked for");
  return signingKeyOf(createPrivateKey({ key: Buffer.concat([ML_DSA_65_SEED, seed]), format: "der", type: "pkcs8" }));
}

/** Describes a private key object that is known to be of one of these kinds. */
export function signingKeyOf(privateKey: KeyObject): SigningKey {
  return { privateKey, publicKey: publicKeyOf(createPublicKey(privateKey)) };
}

const SEED_BYTES = 32;
/** PKCS #8 around a seed (RFC 9881, 6): version, the algorithm's identifier, and the seed as `[0]`. */
const ML_DSA_65_SEED = Buffer.from("3034020100300b060960864801650304031204228020", "hex");
const SCALAR_BYTES = 32;
/** The chance that one honest draw misses is 2^-32. */
const ATTEMPTS_MAX = 16;
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

function privateKeyFromScalar(scalar: Buffer): KeyObject {
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(scalar);
  const point = curve.getPublicKey();
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url"));
  assert(x !== undefined && y !== undefined, "an uncompressed point has two coordinates");
  return createPrivateKey({ key: { kty: "EC", crv: "P-256", d: scalar.toString("base64url"), x, y }, format: "jwk" });
}
