/** The bytes are no message of protocol buffers. */
export class Malformed extends Error {}

type Visit = (content: WireReader) => void;

/** Nested deeper than any model: the reader would run out of stack before it ran out of bytes. */
const DEPTH_MAX = 16;
/** More than any model has, and few enough to be gone through while nothing else is done. */
const FIELDS_MAX = 2_000_000;

/** Reads the wire format of protocol buffers, one message at a time, and only what it is asked for. Copies nothing. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #depth: number;
  /** Of the whole text, shared by the readers of its parts. */
  readonly #seen: { fields: number };
  #at: number;

  constructor(
    bytes: Uint8Array,
    part: { from: number; end: number; depth: number; seen: { fields: number } } | null = null,
  ) {
    this.#bytes = bytes;
    this.#at = part?.from ?? 0;
    this.#end = part?.end ?? bytes.length;
    this.#depth = part?.depth ?? 0;
    this.#seen = part?.seen ?? { fields: 0 };
  }

  /**
   * Goes through the message once: each field with contents that is named is handed over, every other one skipped.
   * Answers the fields that are numbers, the last value of each, as unsigned 64 bits. Throws `Malformed`.
   */
  each(visits: Readonly<Record<number, Visit>>): Map<number, bigint> {
    const numbers = new Map<number, bigint>();
    while (this.#at < this.#end) {
      this.#seen.fields += 1;
      if (this.#seen.fields > FIELDS_MAX) throw new Malformed();
      const tag = this.#varint();
      const field = Number(tag >> 3n);
      const wireType = Number(tag & 7n);
      if (field === 0) throw new Malformed();
      if (wireType === 0) numbers.set(field, this.#varint());
      else if (wireType === 2) {
        const content = this.#content();
        visits[field]?.(content);
      } else this.#skip(wireType);
    }
    return numbers;
  }

  /** The whole content as UTF-8. Throws `Malformed` when it is none. */
  text(): string {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.#bytes.subarray(this.#at, this.#end));
    } catch {
      throw new Malformed();
    }
  }

  #content(): WireReader {
    const length = this.#varint();
    if (this.#depth >= DEPTH_MAX || length > BigInt(this.#end - this.#at)) throw new Malformed();
    const from = this.#at;
    this.#at += Number(length);
    return new WireReader(this.#bytes, { from, end: this.#at, depth: this.#depth + 1, seen: this.#seen });
  }

  /** Groups (3 and 4) are no part of proto3. */
  #skip(wireType: number): void {
    const bytes = wireType === 1 ? 8 : wireType === 5 ? 4 : Number.POSITIVE_INFINITY;
    if (bytes > this.#end - this.#at) throw new Malformed();
    this.#at += bytes;
  }

  #varint(): bigint {
    let value = 0n;
    for (let index = 0n; index < 10n; index += 1n) {
      const byte = this.#at < this.#end ? this.#bytes[this.#at] : undefined;
      if (byte === undefined) throw new Malformed();
      this.#at += 1;
      value |= BigInt(byte & 0x7f) << (7n * index);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Malformed();
  }
}
