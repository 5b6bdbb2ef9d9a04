import { tableError } from "./table-error.ts";

/** Longer than any row of a table; a quote that does not end would otherwise gather the whole file. */
const RECORD_CHARS_MAX = 4 * 1024 * 1024;

/**
 * Cuts text that comes in pieces into records (RFC 4180; a line feed alone ends a line as well). Most lines hold no
 * quote, and are cut at their commas. Empty lines are no records. A quote inside of a value that does not begin with
 * one is an ordinary character, as other readers have it.
 */
export class CsvRecords {
  #text = "";
  #at = 0;
  #lines = 0;
  #isEnded = false;
  /** Where the next quote stands; at the text's end when there is none. */
  #quoteAt = -1;

  /** The line, from 1, on which the record that was given out last begins. */
  line = 0;

  push(text: string): void {
    this.#text = this.#text.slice(this.#at) + text;
    this.#at = 0;
    this.#quoteAt = -1;
    if (this.#text.length > RECORD_CHARS_MAX + text.length) this.#refuseLong();
  }

  end(): void {
    this.#isEnded = true;
  }

  /** The next whole record; null when more text is needed, or when all was given out. Errors: `malformed`. */
  next(): string[] | null {
    for (;;) {
      if (this.#at >= this.#text.length) return null;
      const found = this.#text.indexOf("\n", this.#at);
      if (found === -1 && !this.#isEnded) return null;
      const end = found === -1 ? this.#text.length : found;
      if (this.#nextQuote() < end) return this.#quoted();
      const line = this.#text.slice(this.#at, this.#text.charCodeAt(end - 1) === 13 ? end - 1 : end);
      this.#at = end + 1;
      this.#lines += 1;
      this.line = this.#lines;
      if (line.trim() !== "") return line.split(",");
    }
  }

  #nextQuote(): number {
    if (this.#quoteAt < this.#at) {
      const found = this.#text.indexOf('"', this.#at);
      this.#quoteAt = found === -1 ? Number.POSITIVE_INFINITY : found;
    }
    return this.#quoteAt;
  }

  /** A record with a quote in it somewhere: it may go over several lines, and its end may not have come yet. */
  #quoted(): string[] | null {
    const cells: string[] = [];
    let at = this.#at;
    for (;;) {
      const cell = this.#text.charCodeAt(at) === 34 ? this.#inQuotes(at, cells.length) : this.#bare(at);
      if (cell === null) return null;
      cells.push(cell.value);
      at = cell.end;
      if (at < this.#text.length && this.#text.charCodeAt(at) === 44) {
        at += 1;
        continue;
      }
      if (at >= this.#text.length && !this.#isEnded) return null;
      return this.#take(cells, at);
    }
  }

  #take(cells: string[], end: number): string[] {
    this.line = this.#lines + 1;
    for (let at = this.#at; at < end; at += 1) if (this.#text.charCodeAt(at) === 10) this.#lines += 1;
    this.#lines += 1;
    this.#at = end + 1;
    return cells;
  }

  /** Up to a comma or the line's end. */
  #bare(from: number): { value: string; end: number } {
    let end = from;
    for (; end < this.#text.length; end += 1) {
      const code = this.#text.charCodeAt(end);
      if (code === 44 || code === 10) break;
    }
    return { value: this.#text.slice(from, this.#text.charCodeAt(end - 1) === 13 ? end - 1 : end), end };
  }

  #inQuotes(from: number, column: number): { value: string; end: number } | null {
    let value = "";
    let at = from + 1;
    for (;;) {
      const quote = this.#text.indexOf('"', at);
      if (quote === -1) {
        if (!this.#isEnded) return this.#text.length - this.#at > RECORD_CHARS_MAX ? this.#refuseLong() : null;
        throw tableError("malformed", `a quoted value (the ${column + 1}. of its row) does not end`, {
          line: this.#lines + 1,
        });
      }
      value += this.#text.slice(at, quote);
      if (this.#text.charCodeAt(quote + 1) !== 34) {
        const rest = this.#bare(quote + 1);
        if (rest.value.trim() !== "") {
          throw tableError("malformed", `there is text after a quoted value (the ${column + 1}. of its row)`, {
            line: this.#lines + 1,
          });
        }
        return { value, end: rest.end };
      }
      value += '"';
      at = quote + 2;
    }
  }

  #refuseLong(): never {
    throw tableError("malformed", `a row has more than ${RECORD_CHARS_MAX} characters; does a quoted value not end?`, {
      line: this.#lines + 1,
    });
  }
}
