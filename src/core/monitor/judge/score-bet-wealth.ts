import { sharePart } from "./share-part.ts";

/**
 * The wealth of a gambler who splits it over several bets. Each round every bet multiplies its part by a factor whose
 * expectation under the null is at most 1; then a small share of all wealth is spread evenly again (Herbster & Warmuth's
 * fixed share), so that a change that comes late is still found: a bet that lost for an hour is not lost for good. The
 * share shrinks with the rounds (`sharePart`), so that a stream that goes on for weeks does not cost all wealth.
 *
 * Both steps leave the expectation of the mean at most where it was, so the mean is a test martingale: by Ville's
 * inequality it ever reaches `1/alpha` with a chance of at most `alpha` (Ville 1939).
 */
export class Wealth {
  readonly #parts: Float64Array;
  readonly #share: number;
  #sum: number;
  #rounds = 0;

  /** `share` is the greatest share that is spread anew each round, in [0, 1). */
  constructor(options: { parts: number; share: number }) {
    this.#parts = new Float64Array(options.parts).fill(1);
    this.#share = options.share;
    this.#sum = options.parts;
  }

  /** Evidence against the null; starts at 1. */
  get evidence(): number {
    return this.#sum / this.#parts.length;
  }

  /** False once there is so much evidence that betting on could only overflow. */
  get canGrow(): boolean {
    return this.#sum < WEALTH_MAX;
  }

  /** One round: `factors[k]` multiplies the part of bet `k`. Allocates nothing. */
  grow(factors: Float64Array): void {
    const parts = this.#parts;
    let sum = 0;
    for (let k = 0; k < parts.length; k += 1) {
      const grown = (parts[k] ?? 0) * (factors[k] ?? 1);
      parts[k] = grown;
      sum += grown;
    }
    this.#rounds += 1;
    const share = sharePart(this.#rounds, this.#share);
    const keep = 1 - share;
    const spread = (share * sum) / parts.length;
    for (let k = 0; k < parts.length; k += 1) parts[k] = keep * (parts[k] ?? 0) + spread;
    this.#sum = sum;
  }

  toState(): WealthState {
    return { rounds: this.#rounds, parts: Array.from(this.#parts) };
  }

  /** Throws a RangeError for a state that this kind of wealth cannot have written. */
  restore({ rounds, parts }: WealthState): void {
    if (parts.length !== this.#parts.length || !parts.every((part) => part >= 0 && part < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`a wealth of ${this.#parts.length} parts was expected, each finite and not negative`);
    }
    this.#parts.set(parts);
    this.#rounds = rounds;
    this.#sum = this.#parts.reduce((sum, part) => sum + part, 0);
  }
}

/** JSON-safe. */
export interface WealthState {
  rounds: number;
  parts: readonly number[];
}

/** Far above any threshold. */
const WEALTH_MAX = 1e150;
