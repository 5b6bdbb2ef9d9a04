/** As much of DER (X.690) as a certificate for a test needs. */

export type Der = Buffer;

export function sequence(...items: Der[]): Der {
  return element(0x30, Buffer.concat(items));
}
export function set(...items: Der[]): Der {
  return element(0x31, Buffer.concat(items));
}
export function integer(value: number | Buffer): Der {
  const bytes = typeof value === "number" ? Buffer.from([value]) : value;
  const isNegative = ((bytes[0] ?? 0) & 0x80) !== 0;
  return element(0x02, isNegative ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}
export const TRUE: Der = Buffer.from([0x01, 0x01, 0xff]);
export function octets(content: Buffer): Der {
  return element(0x04, content);
}
export function bits(content: Buffer, unused = 0): Der {
  return element(0x03, Buffer.concat([Buffer.from([unused]), content]));
}
export function utf8(text: string): Der {
  return element(0x0c, Buffer.from(text, "utf8"));
}
export function generalizedTime(atMs: number): Der {
  const text = new Date(atMs).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return element(0x18, Buffer.from(text, "ascii"));
}
/** `[number]`, constructed where it wraps other elements. */
export function tagged(number: number, content: Buffer, { isConstructed }: { isConstructed: boolean }): Der {
  return element(0x80 | (isConstructed ? 0x20 : 0) | number, content);
}
export function objectId(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80);
  return digits;
}

function element(tag: number, content: Buffer): Der {
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}
