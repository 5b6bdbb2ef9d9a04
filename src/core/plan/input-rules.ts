import type { Problem } from "../error.ts";

/**
 * What no document may hold, whatever its syntax. The digest, the database and every later reader must see exactly
 * what the proposer wrote, so everything that two readers could understand differently is refused here.
 */

/** Largest document in UTF-8 bytes. */
export const DOCUMENT_BYTES_MAX = 256 * 1024;
/** Deepest nesting of lists and mappings; a plan needs five. */
export const DEPTH_MAX = 32;

/** Keys that reach an object's prototype when a careless reader assigns them. */
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** A value read from text, with the place where each part of it stands. */
export interface Located {
  value: unknown;
  /** Line and column, both from 1, of what a JSON pointer names; undefined when the text holds no such place. */
  locate(pointer: string): Position | undefined;
}

export interface Position {
  line: number;
  column: number;
}

/** Ends a reader's descent; never leaves the module that threw it. */
export class Refusal extends Error {
  readonly problem: Problem;
  readonly offset: number;
  constructor(offset: number, problem: Problem) {
    super(problem.message);
    this.offset = offset;
    this.problem = problem;
  }
}

/** Why a text is too long or not Unicode, or undefined when it is neither. */
export function textProblem(text: string, bytesMax: number): string | undefined {
  // A character is at most three bytes, so a text that is too long in characters need not be encoded to know it.
  if (text.length > bytesMax || Buffer.byteLength(text, "utf8") > bytesMax) {
    return `longer than ${bytesMax} bytes; a document may hold at most that`;
  }
  if (!text.isWellFormed()) return "not valid Unicode (a lone surrogate); write it as UTF-8";
  return undefined;
}

/** Why a key is refused, or undefined when it is fine. */
export function keyProblem(key: string, seen: { has(key: string): boolean }): string | undefined {
  if (PROTOTYPE_KEYS.has(key)) return `key ${quote(key)} is reserved; use another name`;
  if (seen.has(key)) return `key ${quote(key)} stands twice in this mapping; keep one`;
  return stringProblem(key);
}

/** Why a string is refused: PostgreSQL holds no U+0000, and a lone surrogate has no UTF-8 form to digest. */
export function stringProblem(text: string): string | undefined {
  if (text.includes("\u0000")) return "a string holds the character U+0000; remove it";
  if (!text.isWellFormed()) return "a string holds half a surrogate pair; write the whole character";
  return undefined;
}

/** Why a number is refused: what cannot be held exactly would be digested as another number. */
export function numberProblem(value: number, source: string): string | undefined {
  if (!Number.isFinite(value)) return `${quote(source)} is not a finite number; write one`;
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return `${quote(source)} is too large to be held exactly; integers go up to ${Number.MAX_SAFE_INTEGER}`;
  }
  return undefined;
}

/** A value from the input, quoted for one line of text: escaped, and cut when long. */
export function quote(value: unknown): string {
  const characters = [...(JSON.stringify(value) ?? String(value))];
  return printable(characters.length > 48 ? `${characters.slice(0, 45).join("")}...` : characters.join(""));
}

/** Text from the input with everything escaped that would break a line or command a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
