import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject, sign } from "node:crypto";
import { ContinuumError } from "../error.ts";
import { type Checkpoint, checkpointText } from "./checkpoint.ts";
import { formatSignedNote } from "./signed-note.ts";
import { type VerifierKey, verifierKey } from "./verifier-key.ts";

/**
 * Signs the checkpoints of an installation's logs. From one secret of 32 bytes each log has keys of its own, so that a
 * tenant's checkpoints are signed by nobody else's key: HKDF-SHA-256 with the log's origin and the algorithm gives the
 * seeds of an Ed25519 and an ML-DSA-65 key. Both sign every checkpoint.
 */
export interface CheckpointSigner {
  /** The public keys of that log. */
  keys(origin: string): VerifierKey[];
  /** The signed note. */
  sign(checkpoint: Checkpoint): string;
}

export type CheckpointKeyErrorCode = "bad-checkpoint-key";

const SECRET_BYTES = 32;
const PKCS8_PREFIX = {
  ed25519: Buffer.from("302e020100300506032b657004220420", "hex"),
  "ml-dsa-65": Buffer.from("3034020100300b060960864801650304031204228020", "hex"),
} as const;
type SigningType = keyof typeof PKCS8_PREFIX;
const TYPES: readonly SigningType[] = ["ed25519", "ml-dsa-65"];

/** `previous` signs as well, while whoever verifies changes over from it. */
export function checkpointSigner(secrets: { current: Uint8Array; previous?: Uint8Array }): CheckpointSigner {
  const all = [secrets.current, ...(secrets.previous === undefined ? [] : [secrets.previous])];
  const known = new Map<string, SigningKey[]>();
  const keysOf = (origin: string): SigningKey[] => {
    const found = known.get(origin) ?? all.flatMap((secret) => TYPES.map((type) => signingKey(secret, type, origin)));
    known.set(origin, found);
    return found;
  };
  return {
    keys: (origin) => keysOf(origin).map(({ publicKey }) => publicKey),
    sign: (checkpoint) => {
      const text = checkpointText(checkpoint);
      const message = Buffer.from(text, "utf8");
      const signatures = keysOf(checkpoint.origin).map(({ privateKey, publicKey: { name, keyId } }) => ({
        ...{ name, keyId, signature: sign(null, message, privateKey) },
      }));
      return formatSignedNote({ text, signatures });
    },
  };
}

interface SigningKey {
  privateKey: KeyObject;
  publicKey: VerifierKey;
}

/** A key of checkpoints from a secret: 32 raw bytes, or 64 hexadecimal digits with white space around them. */
export function checkpointSecret(secret: Uint8Array): Uint8Array {
  const text = Buffer.from(secret).toString("latin1").trim();
  const bytes = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, "hex") : Buffer.from(secret);
  if (bytes.length === SECRET_BYTES) return bytes;
  const message = "the key behind audit.keyReference must be 32 bytes, or 64 hexadecimal digits";
  throw new ContinuumError<CheckpointKeyErrorCode>("bad-checkpoint-key", message);
}

function signingKey(secret: Uint8Array, type: SigningType, origin: string): SigningKey {
  const seed = Buffer.from(hkdfSync("sha256", secret, "", `continuum checkpoint ${type} ${origin}`, 32));
  const key = Buffer.concat([PKCS8_PREFIX[type], seed]);
  const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return { privateKey, publicKey: verifierKey(origin, type, spki) };
}
