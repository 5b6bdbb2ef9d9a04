import { randomFillSync } from "node:crypto";

/**
 * Independent uniform draws in [0, 1). Drawn from the system's generator, many at a time: a caller must not be able to
 * foresee which version its next request goes to, because the judge's error rates rest on that.
 */
export function randomDraws(): () => number {
  const numbers = new Uint32Array(4096);
  let at = numbers.length;
  return () => {
    if (at === numbers.length) {
      randomFillSync(numbers);
      at = 0;
    }
    const drawn = numbers[at] ?? 0;
    at += 1;
    return drawn / 0x1_0000_0000;
  };
}
