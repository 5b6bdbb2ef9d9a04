import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { Parsed } from "../error.ts";
import type { TreeHead } from "./export.ts";
import { type NoteSignature, noteKeyId } from "./signed-note.ts";

/**
 * Keys that verify checkpoints, in the vkey form of C2SP: `<name>+<8 hex digits>+<base64 of type and key>`.
 *
 *     0x01                               Ed25519 over the note's text
 *     0xff "continuum/ml-dsa-65" LF      ML-DSA-65 (FIPS 204, empty context) over the note's text; C2SP gives 0xff to
 *                                        types that it has not assigned, followed by a longer identifier
 *     0x04                               a witness's Ed25519 cosignature (tlog-cosignature)
 *     0x06                               a witness's ML-DSA-44 cosignature (tlog-cosignature)
 *
 * The first two are how a log signs, and each answers for all of a checkpoint alone; the others say that a witness saw
 * the log grow, and when.
 */
export type KeyType = "ed25519" | "ml-dsa-65" | "ed25519-cosignature" | "ml-dsa-44-cosignature";

export interface VerifierKey {
  name: string;
  /** 8 hexadecimal digits. */
  keyId: string;
  type: KeyType;
  /** As bytes, without the type. */
  publicKey: Buffer;
  /** The text it is given as. */
  vkey: string;
}

/** A log's name with its size and root: what a checkpoint says. */
export interface NamedTreeHead extends TreeHead {
  origin: string;
}

interface TypeOfKey {
  type: KeyType;
  prefix: Buffer;
  keyBytes: number;
  /** What stands before the key's bytes in a SubjectPublicKeyInfo. */
  spkiPrefix: Buffer;
}

const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");
const TYPES: readonly TypeOfKey[] = [
  { type: "ed25519", prefix: Buffer.of(1), keyBytes: 32, spkiPrefix: ED25519_SPKI },
  {
    type: "ml-dsa-65",
    prefix: Buffer.concat([Buffer.of(0xff), Buffer.from("continuum/ml-dsa-65\n")]),
    keyBytes: 1952,
    spkiPrefix: Buffer.from("308207b2300b0609608648016503040312038207a100", "hex"),
  },
  { type: "ed25519-cosignature", prefix: Buffer.of(4), keyBytes: 32, spkiPrefix: ED25519_SPKI },
  {
    type: "ml-dsa-44-cosignature",
    prefix: Buffer.of(6),
    keyBytes: 1312,
    spkiPrefix: Buffer.from("30820532300b06096086480165030403110382052100", "hex"),
  },
];

export const isCosignature = (key: VerifierKey): boolean => key.type.endsWith("-cosignature");

/** The key of that name; `spki` is its SubjectPublicKeyInfo in DER. */
export function verifierKey(name: string, type: KeyType, spki: Uint8Array): VerifierKey {
  const { prefix, spkiPrefix } = typeNamed(type);
  const publicKey = Buffer.from(spki.subarray(spkiPrefix.length));
  const typedKey = Buffer.concat([prefix, publicKey]);
  const keyId = noteKeyId(name, typedKey);
  return { name, keyId, type, publicKey, vkey: `${name}+${keyId}+${typedKey.toString("base64")}` };
}

export function parseVerifierKey(text: string): Parsed<VerifierKey> {
  const [, name, keyId, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(text) ?? [];
  if (name === undefined || keyId === undefined || encoded === undefined)
    return problem("must be <name>+<8 hexadecimal digits>+<base64>, as `audit keys` prints it");
  const typedKey = Buffer.from(encoded, "base64");
  const found = TYPES.find(
    ({ prefix, keyBytes }) =>
      typedKey.length === prefix.length + keyBytes && typedKey.subarray(0, prefix.length).equals(prefix),
  );
  if (found === undefined) return problem("is of a type that is not known here");
  if (noteKeyId(name, typedKey) !== keyId) return problem("has an id that does not fit its name and bytes");
  return {
    ok: true,
    value: { name, keyId, type: found.type, publicKey: typedKey.subarray(found.prefix.length), vkey: text },
  };
}

/** Keys from a text with one a line; empty lines and those that begin with # are left out. */
export function parseVerifierKeys(text: string): Parsed<VerifierKey[]> {
  const keys: VerifierKey[] = [];
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const parsed = parseVerifierKey(line.trim());
    if (!parsed.ok) return { ok: false, problem: { path: `line ${at + 1}`, message: parsed.problem.message } };
    keys.push(parsed.value);
  }
  return { ok: true, value: keys };
}

/** Whether this key made the signature over the checkpoint with that text. Never throws. */
export function isSignedBy(
  key: VerifierKey,
  signed: { text: string; checkpoint: NamedTreeHead; signature: NoteSignature },
): boolean {
  const message = signedMessage(key, signed);
  if (message === undefined) return false;
  try {
    return verify(null, message.bytes, publicKeyOf(key), message.signature);
  } catch {
    return false;
  }
}

/** When a witness says that it saw the checkpoint, in seconds since 1970; of a cosignature that was verified. */
export function cosignedAtSeconds({ signature }: NoteSignature): number {
  return Number(signature.readBigUInt64BE(0));
}

function signedMessage(
  key: VerifierKey,
  { text, checkpoint, signature: { signature } }: { text: string; checkpoint: NamedTreeHead; signature: NoteSignature },
): { bytes: Buffer; signature: Buffer } | undefined {
  if (!isCosignature(key)) return { bytes: Buffer.from(text, "utf8"), signature };
  if (signature.length <= 8) return undefined;
  const seconds = signature.readBigUInt64BE(0);
  const bytes =
    key.type === "ed25519-cosignature"
      ? Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`, "utf8")
      : subtreeMessage(key.name, seconds, checkpoint);
  return { bytes, signature: signature.subarray(8) };
}

/** The `cosigned_message` of tlog-cosignature for a whole tree. */
function subtreeMessage(cosigner: string, seconds: bigint, { origin, size, rootHash }: NamedTreeHead): Buffer {
  const numbers = (...values: bigint[]) => {
    const bytes = Buffer.alloc(values.length * 8);
    for (const [at, value] of values.entries()) bytes.writeBigUInt64BE(value, at * 8);
    return bytes;
  };
  const short = (text: string) => {
    const bytes = Buffer.from(text, "utf8");
    return Buffer.concat([Buffer.of(bytes.length % 256), bytes]);
  };
  return Buffer.concat([
    ...[Buffer.from("subtree/v1\n\0"), short(cosigner), numbers(seconds), short(origin)],
    ...[numbers(0n, BigInt(size)), Buffer.from(rootHash, "hex")],
  ]);
}

function publicKeyOf({ type, publicKey }: VerifierKey): KeyObject {
  const key = Buffer.concat([typeNamed(type).spkiPrefix, publicKey]);
  return createPublicKey({ key, format: "der", type: "spki" });
}

function typeNamed(type: KeyType): TypeOfKey {
  const found = TYPES.find((one) => one.type === type);
  if (found === undefined) throw new Error(`broken invariant: ${type} is a type of key`);
  return found;
}

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message: `the key ${message}` } };
}
