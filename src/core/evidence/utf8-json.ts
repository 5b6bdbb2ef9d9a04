/**
 * The value of a JSON text, undefined for anything that two readers could understand differently: bytes that are not
 * UTF-8, a key that stands twice, a number that cannot be held, half a character. What was signed must say one thing to
 * everyone. Bundles are large and come from anyone, so this reads with the engine's own parser and one pass over the
 * text, where the reader for plans keeps the place of every part.
 */
export function parseUtf8Json(json: string | Uint8Array, bytesMax: number): unknown {
  if (json.length > bytesMax) return undefined;
  let value: unknown;
  let text: string;
  try {
    text = typeof json === "string" ? json : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json);
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return text.isWellFormed() && isUnambiguous(text) ? value : undefined;
}

/** Deeper than any statement; what walks a value later walks it recursively. */
const DEPTH_MAX = 64;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS = 0x2d;
const NUMBER = /-?[0-9.eE+-]+/y;

/** Only for texts that are JSON: it looks for what the grammar allows and readers disagree about. */
function isUnambiguous(text: string): boolean {
  /** The keys of each object that is open; null for a list. */
  const open: (Set<string> | null)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      const string = readString(text, at, end);
      if (string === undefined) return false;
      const keys = open.at(-1);
      if (isKeyNext && keys) {
        if (keys.has(string) || string === "__proto__") return false;
        keys.add(string);
        isKeyNext = false;
      }
      at = end;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (open.push(code === OPEN_OBJECT ? new Set() : null) > DEPTH_MAX) return false;
      isKeyNext = code === OPEN_OBJECT;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      open.pop();
      isKeyNext = false;
    } else if (code === COMMA) {
      isKeyNext = open.at(-1) !== null;
    } else if (code === MINUS || (code >= 0x30 && code <= 0x39)) {
      NUMBER.lastIndex = at;
      const number = NUMBER.exec(text)?.[0] ?? "";
      if (!isHeld(number)) return false;
      at += Math.max(number.length - 1, 0);
    }
  }
  return true;
}

/** Where the string that begins at `start` has its closing quote. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) return at;
  }
  return text.length;
}

/** The string as it reads; undefined where it holds what the database and UTF-8 cannot. */
function readString(text: string, start: number, end: number): string | undefined {
  const raw = text.slice(start + 1, end);
  if (!raw.includes("\\")) return raw;
  const value = String(JSON.parse(`"${raw}"`));
  return value.isWellFormed() && !value.includes("\u0000") ? value : undefined;
}

/** Whether a number is the same for who reads it as a double and for who reads it as it stands. */
function isHeld(source: string): boolean {
  const value = Number(source);
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}
