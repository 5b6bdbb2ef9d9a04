/** Uniform numbers in [0, 1), as the generator of the goldens makes them: a hash of the place. */
export function hashed(count: number, seed: number): Float64Array {
  const numbers = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    let mixed = (Math.imul(at + 1, 2654435761) + Math.imul(seed, 40503)) >>> 0;
    mixed = Math.imul(mixed ^ (mixed >>> 15), 2246822519) >>> 0;
    numbers[at] = ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32;
  }
  return numbers;
}
