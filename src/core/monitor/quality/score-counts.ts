/** How many answers with a score there were: of the negative class, of the positive one, and of those without a label. */
interface Counts {
  score: number;
  negatives: number;
  positives: number;
}

export interface ScoreCountsState {
  binned: boolean;
  /** score, negatives, positives, and again. */
  counts: number[];
}

/** With more different scores than this they are put into bins. */
const DISTINCT_MAX = 2000;
const BINS = 1000;

/**
 * Labelled answers by their score, mergeable and bounded: exact up to 2,000 different scores, above that in 1,000 bins
 * of equal width over [0, 1], each standing for its middle. In bins the area under the curve is off by at most
 * `areaErrorMax`, because only pairs within one bin have lost their order.
 */
export class ScoreCounts {
  #binned = false;
  readonly #byScore = new Map<number, Counts>();

  add(score: number, isPositive: boolean, times = 1): void {
    this.#put(score, isPositive ? 0 : times, isPositive ? times : 0);
  }

  merge(other: ScoreCounts): void {
    if (other.#binned) this.#bin();
    for (const { score, negatives, positives } of other.#byScore.values()) this.#put(score, negatives, positives);
  }

  get isBinned(): boolean {
    return this.#binned;
  }

  /** By rising score. */
  sorted(): readonly Readonly<Counts>[] {
    return [...this.#byScore.values()].sort((a, b) => a.score - b.score);
  }

  toState(): ScoreCountsState {
    const counts = this.sorted().flatMap(({ score, negatives, positives }) => [score, negatives, positives]);
    return { binned: this.#binned, counts };
  }

  static fromState({ binned, counts }: ScoreCountsState): ScoreCounts {
    const made = new ScoreCounts();
    made.#binned = binned;
    for (let at = 0; at + 2 < counts.length; at += 3)
      made.#put(counts[at] ?? 0, counts[at + 1] ?? 0, counts[at + 2] ?? 0);
    return made;
  }

  #put(score: number, negatives: number, positives: number): void {
    const key = this.#binned ? middleOfBin(score) : score;
    const found = this.#byScore.get(key);
    if (found !== undefined) {
      found.negatives += negatives;
      found.positives += positives;
      return;
    }
    this.#byScore.set(key, { score: key, negatives, positives });
    if (this.#byScore.size > DISTINCT_MAX) this.#bin();
  }

  #bin(): void {
    if (this.#binned) return;
    this.#binned = true;
    const exact = [...this.#byScore.values()];
    this.#byScore.clear();
    for (const { score, negatives, positives } of exact) this.#put(score, negatives, positives);
  }
}

function middleOfBin(score: number): number {
  const bin = Math.min(BINS - 1, Math.max(0, Math.floor(score * BINS)));
  return (bin + 0.5) / BINS;
}
