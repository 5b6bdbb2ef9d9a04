import { createHash } from "node:crypto";
import type { Parsed } from "../error.ts";

/**
 * Signed notes as C2SP specifies them (signed-note): a text that ends in a line feed, an empty line, and signature
 * lines of an em dash, a key's name, and base64 of four bytes of key id and the signature.
 */
export interface SignedNote {
  /** With its last line feed; what is signed. */
  text: string;
  signatures: NoteSignature[];
}

export interface NoteSignature {
  name: string;
  /** The first four bytes of SHA-256(name || LF || type || key), as 8 hexadecimal digits. */
  keyId: string;
  signature: Buffer;
}

/** Far above what a log and sixteen witnesses come to with post-quantum signatures. */
const NOTE_BYTES_MAX = 256 * 1024;
const SIGNATURES_MAX = 64;
const KEY_ID_BYTES = 4;

export function parseSignedNote(bytes: Uint8Array): Parsed<SignedNote> {
  if (bytes.length > NOTE_BYTES_MAX) return problem("is too large for a signed note");
  let note: string;
  try {
    note = strictUtf8.decode(bytes);
  } catch {
    return problem("must be UTF-8");
  }
  if (hasControlCharacter(note)) return problem("must hold no control characters but line feeds");
  const split = note.lastIndexOf("\n\n");
  if (split === -1 || !note.endsWith("\n")) return problem("must be a text, an empty line and signature lines");
  const lines = note.slice(split + 2, -1).split("\n");
  if (lines.length > SIGNATURES_MAX) return problem(`must have at most ${SIGNATURES_MAX} signatures`);
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const signature = parseSignatureLine(line);
    if (signature === undefined) return problem("must end in signature lines: an em dash, a name, and base64");
    signatures.push(signature);
  }
  return { ok: true, value: { text: note.slice(0, split + 1), signatures } };
}

/** Undefined when the line, without its line feed, is no signature line. */
export function parseSignatureLine(line: string): NoteSignature | undefined {
  const [, name, encoded] = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line) ?? [];
  if (name === undefined || encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  // Base64 that says the same in other characters would let a byte change without being noticed.
  if (bytes.length <= KEY_ID_BYTES || bytes.toString("base64") !== encoded) return undefined;
  return { name, keyId: bytes.subarray(0, KEY_ID_BYTES).toString("hex"), signature: bytes.subarray(KEY_ID_BYTES) };
}

/** With its line feed. */
export function signatureLine({ name, keyId, signature }: NoteSignature): string {
  return `\u2014 ${name} ${Buffer.concat([Buffer.from(keyId, "hex"), signature]).toString("base64")}\n`;
}

export function formatSignedNote({ text, signatures }: SignedNote): string {
  return `${text}\n${signatures.map(signatureLine).join("")}`;
}

/** SHA-256(name || LF || type || key), the first four bytes, as 8 hexadecimal digits. */
export function noteKeyId(name: string, typedKey: Uint8Array): string {
  const hash = createHash("sha256").update(`${name}\n`).update(typedKey).digest();
  return hash.subarray(0, KEY_ID_BYTES).toString("hex");
}

// A byte order mark is kept, so that it counts as a change instead of vanishing.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 && code !== 0x0a) return true;
  }
  return false;
}

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
