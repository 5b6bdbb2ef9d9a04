import type { Parsed } from "../error.ts";
import { formatSignedNote, type NoteSignature, parseSignedNote, type SignedNote } from "./signed-note.ts";
import {
  cosignedAtSeconds,
  isCosignature,
  isSignedBy,
  type KeyType,
  type NamedTreeHead,
  type VerifierKey,
} from "./verifier-key.ts";

/**
 * Checkpoints of a tenant's log as C2SP specifies them (tlog-checkpoint): a signed note of three lines, the log's
 * origin, its size, and base64 of its root. Extension lines are not written and not accepted: nobody would check them.
 */
export type Checkpoint = NamedTreeHead;

/** Which log of which installation it is; also the name of the log's keys, and of the folder that archives keep it in. */
const ORIGIN = /^continuum\/[0-9a-f]{16}\/([A-Za-z0-9][A-Za-z0-9._-]{0,62})(?:\/restored-[0-9]{1,15})?$/;

/**
 * The name of a log: `continuum/<installation>/<tenant>`. Each restore of a backup begins a log of its own: what it says of the time after the backup is
 * another story than the one that was published, and a log never signs two.
 */
export function logOrigin(of: { installation: string; tenant: string; restoredAtMs: number | null }): string {
  const base = `continuum/${of.installation}/${of.tenant}`;
  return of.restoredAtMs === null ? base : `${base}/restored-${of.restoredAtMs}`;
}

/** The tenant whose log it is; undefined when this is no origin of ours. */
export function tenantOfOrigin(origin: string): string | undefined {
  return ORIGIN.exec(origin)?.[1];
}

export function checkpointText({ origin, size, rootHash }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(rootHash, "hex").toString("base64")}\n`;
}

/** Reads a text that was, or is about to be, verified. */
export function parseCheckpointText(text: string): Parsed<Checkpoint> {
  const [, origin = "", size = "", root = ""] =
    /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n$/.exec(text) ?? [];
  const checkpoint = { origin, size: Number(size), rootHash: Buffer.from(root, "base64").toString("hex") };
  if (origin === "" || !Number.isSafeInteger(checkpoint.size) || checkpointText(checkpoint) !== text)
    return problem("must be three lines: the log's origin, its size, and base64 of its root hash");
  return { ok: true, value: checkpoint };
}

export interface OpenedCheckpoint {
  checkpoint: Checkpoint;
  note: SignedNote;
  /** Which of the keys signed it for the log, and with what. */
  signedBy: { keyId: string; type: KeyType }[];
  /** Witnesses of whom a key was given, and when they saw it. */
  witnessedBy: { name: string; keyId: string; atSeconds: number }[];
  /** Signatures by keys that were not given: they say nothing. */
  unknown: number;
}

/**
 * Reads a checkpoint and verifies it by keys that the reader trusts. Of every kind of signature that the keys of the
 * log can verify there must be one, so that nobody can leave the harder one away; a signature by a known key that does
 * not verify spoils the whole note. The problem says what is wrong in words that follow "the checkpoint".
 */
export function openCheckpoint(bytes: Uint8Array, keys: readonly VerifierKey[]): Parsed<OpenedCheckpoint> {
  const note = parseSignedNote(bytes);
  if (!note.ok) return note;
  const { text, signatures } = note.value;
  const parsed = parseCheckpointText(text);
  if (!parsed.ok) return parsed;
  const checkpoint = parsed.value;
  const opened: OpenedCheckpoint = { checkpoint, note: note.value, signedBy: [], witnessedBy: [], unknown: 0 };
  for (const signature of signatures) {
    const key = keys.find(({ name, keyId }) => name === signature.name && keyId === signature.keyId);
    if (key === undefined) opened.unknown += 1;
    else if (!isSignedBy(key, { text, checkpoint, signature }))
      return problem(`has a signature of ${key.name}+${key.keyId} that does not verify: it was changed`);
    else if (isCosignature(key))
      opened.witnessedBy.push({ name: key.name, keyId: key.keyId, atSeconds: cosignedAtSeconds(signature) });
    else opened.signedBy.push({ keyId: key.keyId, type: key.type });
  }
  const own = keys.filter((key) => key.name === checkpoint.origin && !isCosignature(key));
  if (own.length === 0) return problem(`is of the log ${checkpoint.origin}, of which no key was given`);
  const missing = [...new Set(own.map(({ type }) => type))].find(
    (type) => !opened.signedBy.some((by) => by.type === type && isOwn(own, by.keyId)),
  );
  return missing === undefined
    ? { ok: true, value: opened }
    : problem(`carries no ${missing} signature of a key that was given`);
}

/** The note with further signatures of witnesses on it, each at most once. */
export function withCosignatures(note: SignedNote, cosignatures: readonly NoteSignature[]): string {
  const known = new Set(note.signatures.map(({ name, keyId }) => `${name} ${keyId}`));
  const added = cosignatures.filter(({ name, keyId }) => !known.has(`${name} ${keyId}`));
  return formatSignedNote({ ...note, signatures: [...note.signatures, ...added] });
}

function isOwn(keys: readonly VerifierKey[], keyId: string): boolean {
  return keys.some((key) => key.keyId === keyId);
}

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
