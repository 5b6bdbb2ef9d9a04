import { hashText, newestHash } from "./hash-64.ts";

const TEXT_MAX = 128;
const TEXT_KEPT = 100;
const WHOLE_AS_FRACTION = /^(-?\d+)\.0+$/;
const TRUTH = /^(true|false)$/i;

/**
 * A value as a number: NaN for a text or an object, which fits no column of numbers; null for what is missing. The
 * baseline and what comes have to be read alike, so both are read by this.
 */
export function numberOf(cell: unknown): number | null {
  if (typeof cell === "number") return Number.isNaN(cell) ? null : cell;
  if (typeof cell === "string") return numberOfText(cell);
  if (typeof cell === "boolean") return cell ? 1 : 0;
  if (typeof cell === "bigint") return Number(cell);
  return cell === null || cell === undefined ? null : Number.NaN;
}

function numberOfText(text: string): number | null {
  const value = Number(text);
  // Number("") is 0, Number("0x1f") is 31, and neither is what a table means.
  if (value === 0 || Number.isInteger(value)) return isDecimal(text) ? value : text.trim() === "" ? null : Number.NaN;
  return Number.isNaN(value) && text.trim().toLowerCase() === "nan" ? null : value;
}

function isDecimal(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at) | 0x20;
    // b, o, x as in 0b, 0o, 0x.
    if (unit === 0x62 || unit === 0x6f || unit === 0x78) return false;
  }
  return text.trim() !== "";
}

/**
 * A value as a category: a text without space around it, `true` and `false` however they are written, and whole numbers
 * without `.0`, which some programs append. null for what is missing (the empty text is); undefined for what is no
 * category. A long text is cut and told apart by a hash.
 */
export function categoryOf(cell: unknown): string | null | undefined {
  switch (typeof cell) {
    case "string":
      return categoryOfText(cell);
    case "number":
      return Number.isNaN(cell) ? null : String(cell + 0);
    case "boolean":
    case "bigint":
      return String(cell);
    default:
      return cell === null || cell === undefined ? null : undefined;
  }
}

function categoryOfText(given: string): string | null {
  const text = given.trim();
  if (text === "") return null;
  if (text.length > TEXT_MAX) {
    hashText(text);
    const { high, low } = newestHash;
    const tail = high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
    return `${storable(text.slice(0, TEXT_KEPT))}…${tail}`;
  }
  if (TRUTH.test(text)) return text.toLowerCase();
  return storable(WHOLE_AS_FRACTION.exec(text)?.[1] ?? text);
}

/** A caller may write U+0000, or half of a pair, which no database takes as text: one such value would stop all others. */
function storable(text: string): string {
  return (text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text).toWellFormed();
}
