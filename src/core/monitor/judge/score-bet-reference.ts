/** Stable's newest numbers, among which the next number of either arm is ranked. */
const KEPT = 256;
/** Among fewer than these a rank says too little to bet on. */
const KEPT_MIN = 20;

/** JSON-safe. The numbers in the order in which they came. */
export interface ScoreReferenceState {
  newest: readonly number[];
}

export class ScoreReference {
  /** As they came, in a ring whose oldest entry is at `#oldest`. */
  readonly #ring = new Float64Array(KEPT);
  readonly #sorted = new Float64Array(KEPT);
  #oldest = 0;
  #size = 0;

  /** The middle rank in (0, 1), ties counted half; null while there is too little to rank among. */
  rankOf(score: number): number | null {
    if (this.#size < KEPT_MIN) return null;
    const less = this.#lessThan(score);
    let equal = 0;
    while (less + equal < this.#size && this.#sorted[less + equal] === score) equal += 1;
    return (less + equal / 2 + 0.5) / (this.#size + 1);
  }

  add(score: number): void {
    const sorted = this.#sorted;
    if (this.#size === KEPT) {
      const from = this.#lessThan(this.#ring[this.#oldest] ?? 0);
      sorted.copyWithin(from, from + 1, this.#size);
      this.#size -= 1;
      this.#ring[this.#oldest] = score;
      this.#oldest = (this.#oldest + 1) % KEPT;
    } else this.#ring[this.#size] = score;
    const to = this.#lessThan(score);
    sorted.copyWithin(to + 1, to, this.#size);
    sorted[to] = score;
    this.#size += 1;
  }

  toState(): ScoreReferenceState {
    const at = (n: number) => this.#ring[(this.#oldest + n) % KEPT] ?? 0;
    return { newest: Array.from({ length: this.#size }, (_, n) => at(n)) };
  }

  /** Throws a RangeError for a state that no reference can have written. */
  restore({ newest }: ScoreReferenceState): void {
    if (newest.length > KEPT || !newest.every(Number.isFinite)) {
      throw new RangeError(`at most ${KEPT} finite numbers were expected`);
    }
    for (const score of newest) this.add(score);
  }

  #lessThan(score: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? 0) < score) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
