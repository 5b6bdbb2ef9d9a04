/**
 * Just enough of the protocol buffers wire format to write an ONNX file: every function returns one encoded field,
 * and a message is the fields one after the other. Source: protobuf.dev/programming-guides/encoding.
 */

const WIRE_VARINT = 0;
const WIRE_LENGTH_DELIMITED = 2;
const WIRE_FIXED_32 = 5;

const encoder = new TextEncoder();

/** Concatenates encoded fields into one message body. */
export function message(...fields: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(fields.reduce((total, field) => total + field.length, 0));
  let offset = 0;
  for (const field of fields) {
    body.set(field, offset);
    offset += field.length;
  }
  return body;
}

/** An `int64` or enum field. A negative number takes ten bytes, as the format wants. */
export function integerField(field: number, value: number | bigint): Uint8Array {
  return message(tag(field, WIRE_VARINT), varint(BigInt(value)));
}

/** A `float` field: four bytes, little endian. */
export function floatField(field: number, value: number): Uint8Array {
  return message(tag(field, WIRE_FIXED_32), float32Bytes([value]));
}

/** A `bytes` field or an embedded message. */
export function bytesField(field: number, value: Uint8Array): Uint8Array {
  return message(tag(field, WIRE_LENGTH_DELIMITED), varint(BigInt(value.length)), value);
}

/** A `string` field, UTF-8. */
export function stringField(field: number, value: string): Uint8Array {
  return bytesField(field, encoder.encode(value));
}

/** A packed `repeated int64` field. */
export function packedIntegersField(field: number, values: readonly number[]): Uint8Array {
  return bytesField(field, message(...values.map((value) => varint(BigInt(value)))));
}

/** A packed `repeated float` field. */
export function packedFloatsField(field: number, values: readonly number[]): Uint8Array {
  return bytesField(field, float32Bytes(values));
}

/** Little-endian IEEE 754 singles, whatever the byte order of this machine. */
export function float32Bytes(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (const [index, value] of values.entries()) view.setFloat32(index * 4, value, true);
  return new Uint8Array(view.buffer);
}

/** Little-endian 64-bit integers, whatever the byte order of this machine. */
export function int64Bytes(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  for (const [index, value] of values.entries()) view.setBigInt64(index * 8, BigInt(value), true);
  return new Uint8Array(view.buffer);
}

function tag(field: number, wireType: number): Uint8Array {
  return varint((BigInt(field) << 3n) | BigInt(wireType));
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
