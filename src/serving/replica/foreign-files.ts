/**
 * Finds out whether an ONNX model asks its runtime to read other files. ONNX lets a tensor lie outside of the model
 * ("external data"), and ONNX Runtime opens whatever path the model names, with this user's rights and past Node's
 * permissions: a model could answer requests with the host's keys. An artifact is one file, so a model that names
 * another is refused before the runtime sees a byte of it.
 *
 * Walks the protocol buffers wire format and the messages of `onnx.proto3` that can hold a tensor. Wherever the real
 * parser could understand more than this one, this one refuses.
 */

export type ForeignFiles = "none" | "external-data" | "not-onnx";

interface MessageShape {
  /** Fields that hold messages which may hold a tensor, by field number. */
  readonly inside: Readonly<Record<number, () => MessageShape>>;
  readonly isTensor?: true;
}

const tensor: MessageShape = { inside: {}, isTensor: true };
const sparseTensor: MessageShape = { inside: { 1: () => tensor, 2: () => tensor } };
const attribute: MessageShape = {
  inside: {
    ...{ 5: () => tensor, 6: () => graph, 10: () => tensor },
    ...{ 11: () => graph, 22: () => sparseTensor, 23: () => sparseTensor },
  },
};
const node: MessageShape = { inside: { 5: () => attribute } };
const graph: MessageShape = { inside: { 1: () => node, 5: () => tensor, 15: () => sparseTensor } };
const functionBody: MessageShape = { inside: { 7: () => node, 11: () => attribute } };
const trainingInfo: MessageShape = { inside: { 1: () => graph, 2: () => graph } };
const model: MessageShape = { inside: { 7: () => graph, 20: () => trainingInfo, 25: () => functionBody } };

const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
/** ONNX Runtime's own format is told by these bytes at 4, before anything is taken for ONNX. */
const OWN_FORMAT = Buffer.from("ORTM");
/** The limit of the runtime's own parser. */
const DEPTH_MAX = 100;

/** `not-onnx` also for bytes that only look like ONNX from afar; ONNX Runtime may know more of what is wrong. */
export function foreignFiles(bytes: Uint8Array): ForeignFiles {
  if (OWN_FORMAT.equals(bytes.subarray(4, 8))) return "not-onnx";
  try {
    return walk(new Reader(bytes), { shape: model, depth: 0 }) ? "external-data" : "none";
  } catch (error) {
    if (error instanceof Malformed) return "not-onnx";
    throw error;
  }
}

/** True when a tensor in the message lies in another file. */
function walk(reader: Reader, { shape, depth }: { shape: MessageShape; depth: number }): boolean {
  if (depth > DEPTH_MAX) throw new Malformed();
  while (!reader.atEnd) {
    const { field, wireType } = reader.tag();
    if (wireType === 2) {
      const content = reader.content();
      if (shape.isTensor && field === EXTERNAL_DATA) return true;
      const inner = shape.inside[field];
      if (inner !== undefined && walk(content, { shape: inner(), depth: depth + 1 })) return true;
    } else if (wireType === 0) {
      const isZero = reader.varintIsZero();
      if (shape.isTensor && field === DATA_LOCATION && !isZero) return true;
    } else reader.skipFixed(wireType);
  }
  return false;
}

class Malformed extends Error {}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, from = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** The real parser takes five bytes at most and keeps the lower 32 bits. */
  tag(): { field: number; wireType: number } {
    const tag = this.#varint(5);
    const field = tag >>> 3;
    if (field === 0) throw new Malformed();
    return { field, wireType: tag & 7 };
  }

  varintIsZero(): boolean {
    return this.#varint(10) === 0;
  }

  content(): Reader {
    const length = this.#varint(5);
    if (length > this.#end - this.#at) throw new Malformed();
    this.#at += length;
    return new Reader(this.#bytes, this.#at - length, this.#at);
  }

  /** Groups (3 and 4) are no part of ONNX. */
  skipFixed(wireType: number): void {
    const bytes = wireType === 1 ? 8 : wireType === 5 ? 4 : Number.NaN;
    if (!(bytes <= this.#end - this.#at)) throw new Malformed();
    this.#at += bytes;
  }

  /** The lower 32 bits, with bits above told by at least one set bit, so that no value is taken for zero. */
  #varint(bytesMax: number): number {
    let value = 0;
    for (let index = 0; index < bytesMax; index += 1) {
      const byte = this.#at < this.#end ? this.#bytes[this.#at] : undefined;
      if (byte === undefined) throw new Malformed();
      this.#at += 1;
      const bits = byte & 0x7f;
      if (index < 5) value = (value | (bits << (7 * index))) >>> 0;
      else if (bits !== 0) value = (value | 1) >>> 0;
      // The fifth byte's upper bits fall out of 32.
      if (index === 4 && bytesMax > 5 && bits >>> 4 !== 0) value = (value | 1) >>> 0;
      if (byte < 0x80) return value;
    }
    throw new Malformed();
  }
}
