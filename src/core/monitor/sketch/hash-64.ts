/**
 * A 64-bit hash in two 32-bit halves, since whole 64-bit arithmetic would need BigInt, which is thirty times slower.
 * Each half runs MurmurHash3's 32-bit block step over the input and its finaliser at the end (Appleby 2011, public
 * domain), with constants of its own, and is mixed with the other. Not for secrets: it has no key.
 */

/** The upper and the lower half of the newest hash: two numbers cannot be returned without making an object. */
export const newestHash = { high: 0, low: 0 };

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** Hashes a number by its bits; -0 is 0. */
export function hashNumber(value: number): void {
  double[0] = value + 0;
  const low = words[0] ?? 0;
  const high = words[1] ?? 0;
  finish(step(step(0x9747b28c, low), high), step(step(0x3c074a61, high), low));
}

/** Hashes a text by its UTF-16 units. */
export function hashText(text: string): void {
  let first = 0x9747b28c ^ text.length;
  let second = 0x3c074a61 ^ text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    first = step(first, unit);
    second = step(second, Math.imul(unit, 0x01000193));
  }
  finish(first, second);
}

function step(hash: number, block: number): number {
  const mixed = Math.imul(rotated(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotated(hash ^ mixed, 13), 5) + 0xe6546b64) | 0;
}

function finish(first: number, second: number): void {
  const high = avalanche(first ^ Math.imul(second, 0x85ebca77));
  newestHash.high = high >>> 0;
  newestHash.low = avalanche(second ^ Math.imul(high, 0x9e3779b1)) >>> 0;
}

/** Every bit of the input changes every bit of the output with about even odds. */
function avalanche(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
