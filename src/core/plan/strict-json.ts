import type { Parsed } from "../error.ts";
import {
  DEPTH_MAX,
  DOCUMENT_BYTES_MAX,
  keyProblem,
  type Located,
  numberProblem,
  type Position,
  quote,
  Refusal,
  stringProblem,
  textProblem,
} from "./input-rules.ts";
import { escapeSegment } from "./json-pointer.ts";

/**
 * JSON as RFC 8259 has it, with what `JSON.parse` lets through refused: duplicate keys, prototype keys, numbers that
 * cannot be held, nesting without end. For plans and for every request body.
 */
export function parseJsonStrict(text: string, options: { bytesMax?: number } = {}): Parsed<unknown> {
  const read = readJson(text, options);
  return read.ok ? { ok: true, value: read.value.value } : read;
}

/** As `parseJsonStrict`, and knows where each part of the value stands. */
export function readJson(text: string, options: { bytesMax?: number } = {}): Parsed<Located> {
  const tooMuch = textProblem(text, options.bytesMax ?? DOCUMENT_BYTES_MAX);
  if (tooMuch !== undefined) return { ok: false, problem: { path: "", message: tooMuch } };
  const reader = new Reader(text);
  try {
    const value = reader.document();
    return { ok: true, value: { value, locate: (pointer) => reader.positionOf(pointer) } };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { line, column } = positionAt(text, error.offset);
    const { path, message } = error.problem;
    return { ok: false, problem: { path, message: `${line}:${column}: ${message}` } };
  }
}

/** Line and column, from 1, of an offset. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - before.lastIndexOf("\n") };
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;
const WORDS: Record<string, boolean | null> = { true: true, false: false, null: null };

class Reader {
  private readonly text: string;
  private readonly offsets = new Map<string, number>();
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  positionOf(pointer: string): Position | undefined {
    const offset = this.offsets.get(pointer);
    return offset === undefined ? undefined : positionAt(this.text, offset);
  }

  document(): unknown {
    this.take(SPACE);
    if (this.at === this.text.length) this.refuse("", "empty; write one JSON value");
    const value = this.value("", 0);
    this.take(SPACE);
    if (this.at < this.text.length) this.refuse("", "something follows the JSON value; write only one");
    return value;
  }

  private value(path: string, depth: number): unknown {
    this.take(SPACE);
    this.offsets.set(path, this.at);
    const next = this.text[this.at];
    if (next === "{") return this.object(path, depth + 1);
    if (next === "[") return this.array(path, depth + 1);
    if (next === '"') return this.string(path);
    const number = this.take(NUMBER);
    if (number) return this.number(path, number);
    const word = this.take(WORD);
    if (word) return WORDS[word];
    return this.refuse(
      path,
      `${next === undefined ? "the text ends here" : `${quote(next)} is no JSON`}; a value is due`,
    );
  }

  private object(path: string, depth: number): Record<string, unknown> {
    this.open(path, depth);
    const members = new Map<string, unknown>();
    if (this.closes("}")) return {};
    do {
      this.take(SPACE);
      const keyAt = this.at;
      if (this.text[this.at] !== '"') this.refuse(path, 'a key in double quotes is due, or "}"');
      const key = this.string(path);
      const problem = keyProblem(key, members);
      const keyPath = `${path}/${escapeSegment(key)}`;
      if (problem !== undefined) throw new Refusal(keyAt, { path: keyPath, message: problem });
      if (!this.closes(":")) this.refuse(keyPath, '":" is due after a key');
      members.set(key, this.value(keyPath, depth));
      // The place of a member is its key: that is what a reader looks for.
      this.offsets.set(keyPath, keyAt);
    } while (this.closes(","));
    if (!this.closes("}")) this.refuse(path, '"," or "}" is due');
    return Object.fromEntries(members);
  }

  private array(path: string, depth: number): unknown[] {
    this.open(path, depth);
    const items: unknown[] = [];
    if (this.closes("]")) return items;
    do items.push(this.value(`${path}/${items.length}`, depth));
    while (this.closes(","));
    if (!this.closes("]")) this.refuse(path, '"," or "]" is due');
    return items;
  }

  private string(path: string): string {
    const token = this.stringToken();
    if (token === undefined) return this.refuse(path, "a string does not end on its line");
    const text = unescaped(token);
    if (text === undefined) return this.refuse(path, `${quote(token)} holds a wrong or missing escape`);
    const problem = stringProblem(text);
    return problem === undefined ? text : this.refuse(path, problem);
  }

  /** Only where a string ends is found here; what stands between is for JSON.parse to judge. */
  private stringToken(): string | undefined {
    for (let end = this.at + 1; end < this.text.length; end++) {
      const character = this.text[end];
      if (character === "\n") return undefined;
      if (character === "\\") end += 1;
      if (character !== '"') continue;
      const token = this.text.slice(this.at, end + 1);
      this.at = end + 1;
      return token;
    }
    return undefined;
  }

  private number(path: string, source: string): number {
    const value = Number(source);
    const problem = numberProblem(value, source);
    if (problem !== undefined) return this.refuse(path, problem);
    return value === 0 ? 0 : value;
  }

  private open(path: string, depth: number): void {
    if (depth > DEPTH_MAX) this.refuse(path, `nested deeper than ${DEPTH_MAX} levels; flatten it`);
    this.at += 1;
  }

  private closes(character: string): boolean {
    this.take(SPACE);
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const token = pattern.exec(this.text)?.[0] ?? "";
    this.at += token.length;
    return token;
  }

  private refuse(path: string, message: string): never {
    throw new Refusal(this.at, { path, message });
  }
}

function unescaped(token: string): string | undefined {
  try {
    return JSON.parse(token) as string;
  } catch {
    // A syntax error is the only one JSON.parse has; the caller says where.
    return undefined;
  }
}
