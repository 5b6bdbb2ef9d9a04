import { SketchError } from "./sketch-error.ts";

/** Sketches as bytes: whole numbers in groups of seven bits (LEB128), everything little-endian. */
export class SketchWriter {
  #bytes = Buffer.allocUnsafe(4096);
  #length = 0;

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length] = (rest % 0x80) | 0x80;
      this.#length += 1;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length] = rest;
    this.#length += 1;
  }

  double(value: number): void {
    this.#room(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  single(value: number): void {
    this.#room(4);
    this.#length = this.#bytes.writeFloatLE(value, this.#length);
  }

  text(value: string): void {
    const bytes = Buffer.byteLength(value);
    this.count(bytes);
    this.#room(bytes);
    this.#length += this.#bytes.write(value, this.#length);
  }

  bytes(value: Uint8Array): void {
    this.#room(value.byteLength);
    this.#bytes.set(value, this.#length);
    this.#length += value.byteLength;
  }

  /** A copy of what was written. */
  done(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.byteLength * 2, this.#length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Reads what `SketchWriter` wrote; throws `bad-sketch` where the bytes cannot be that. */
export class SketchReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  byte(): number {
    this.#need(1);
    const value = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return value;
  }

  count(): number {
    let value = 0;
    let unit = 1;
    for (let group = 0; group < 8; group += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : damaged("a count is above 2^53");
      unit *= 0x80;
    }
    return damaged("a count has no end");
  }

  /** A count that stands for as many things, each of which takes at least `bytesEach` of what is left. */
  length(max: number, bytesEach: number): number {
    const value = this.count();
    if (value > max) damaged(`${value} entries where ${max} are the most`);
    if (value * bytesEach > this.#bytes.byteLength - this.#at) damaged("the bytes end too early");
    return value;
  }

  double(): number {
    this.#need(8);
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  single(): number {
    this.#need(4);
    const value = this.#bytes.readFloatLE(this.#at);
    this.#at += 4;
    return value;
  }

  text(): string {
    const length = this.length(this.#bytes.byteLength, 1);
    const text = this.#bytes.toString("utf8", this.#at, this.#at + length);
    this.#at += length;
    return text;
  }

  bytes(length: number): Uint8Array {
    this.#need(length);
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#at !== this.#bytes.byteLength) damaged("something follows its end");
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#bytes.byteLength) damaged("the bytes end too early");
  }
}

/** Throws, because bytes that were damaged must not be taken for measurements. */
export function damaged(what: string): never {
  throw new SketchError("bad-sketch", `these bytes are no sketch that can be read here: ${what}`);
}
