import type { GuardState } from "./judge-state.ts";
import { scaleFreeRatio } from "./scale-free-ratio.ts";

const BLOCK_MS = 28_000;
/** A block of fewer answers of one arm goes on until there are so many. */
const ARM_ANSWERS_MIN = 5;
/** By how many deviations of a block the candidate may be worse; the evidence is the mean over them. */
const EFFECTS = [1, 2, 4] as const;
/** Evidence is counted from the first block and anew from each of these, so that a late change is found too. */
const STARTS = [0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096] as const;

/**
 * Evidence that the candidate's scores are higher, from whole blocks of time. Answers of one version depend on each
 * other (a replica is slow for a while, and everything it answers then), and a bet request by request takes each for
 * news. Here a block is one observation: the difference of the arms' means. Blocks are long enough to be nearly
 * independent, and means of many answers nearly normal; of what they scatter by nothing is supposed. The evidence is
 * the likelihood ratio of the differences up to scale, `μ = δσ` against `μ = 0`: an anytime-valid t-test (Lai 1976;
 * Pérez-Ortiz, Lardy, de Heide & Grünwald 2022; Wang & Ramdas 2023). A guard and no proof, as far as blocks are neither
 * independent nor normal.
 */
export class BlockGuard {
  /** For each start: how many blocks there were since, the sum of their differences, and of the squares. */
  readonly #counts = new Float64Array(STARTS.length);
  readonly #sums = new Float64Array(STARTS.length);
  readonly #squares = new Float64Array(STARTS.length);
  #blocks = 0;
  #evidence = 1;
  #endsAtMs: number | null = null;
  #candidateAnswers = 0;
  #candidateSum = 0;
  #stableAnswers = 0;
  #stableSum = 0;

  get evidence(): number {
    return this.#evidence;
  }

  /** Blocks that counted so far. */
  get blocks(): number {
    return this.#blocks;
  }

  update(candidate: boolean, score: number, atMs: number): void {
    const endsAtMs = this.#endsAtMs;
    if (endsAtMs === null) this.#endsAtMs = atMs + BLOCK_MS;
    else if (atMs >= endsAtMs && this.#candidateAnswers >= ARM_ANSWERS_MIN && this.#stableAnswers >= ARM_ANSWERS_MIN) {
      this.#close();
      this.#endsAtMs = atMs + BLOCK_MS;
    }
    if (candidate) {
      this.#candidateAnswers += 1;
      this.#candidateSum += score;
    } else {
      this.#stableAnswers += 1;
      this.#stableSum += score;
    }
  }

  #close(): void {
    const difference = this.#candidateSum / this.#candidateAnswers - this.#stableSum / this.#stableAnswers;
    this.#candidateAnswers = 0;
    this.#candidateSum = 0;
    this.#stableAnswers = 0;
    this.#stableSum = 0;
    for (const [k, start] of STARTS.entries()) {
      if (this.#blocks < start) break;
      this.#counts[k] = (this.#counts[k] ?? 0) + 1;
      this.#sums[k] = (this.#sums[k] ?? 0) + difference;
      this.#squares[k] = (this.#squares[k] ?? 0) + difference * difference;
    }
    this.#blocks += 1;
    this.#evidence = this.#weighed();
  }

  /** The first start has half of the weight, the second a sixth, and so on; starts to come hold their part as cash. */
  #weighed(): number {
    let evidence = 1;
    for (const [k] of STARTS.entries()) {
      const blocks = this.#counts[k] ?? 0;
      if (blocks === 0) break;
      const since = { blocks, sum: this.#sums[k] ?? 0, squares: this.#squares[k] ?? 0 };
      let mean = 0;
      for (const effect of EFFECTS) mean += scaleFreeRatio(since, effect) / EFFECTS.length;
      evidence += (mean - 1) / ((k + 1) * (k + 2));
    }
    return evidence;
  }

  toState(): GuardState {
    return {
      counts: [...this.#counts],
      sums: [...this.#sums],
      squares: [...this.#squares],
      blocks: this.#blocks,
      endsAtMs: this.#endsAtMs,
      candidate: { answers: this.#candidateAnswers, sum: this.#candidateSum },
      stable: { answers: this.#stableAnswers, sum: this.#stableSum },
    };
  }

  static fromState(state: GuardState): BlockGuard {
    const guard = new BlockGuard();
    if (state.counts.length !== STARTS.length || state.sums.length !== STARTS.length)
      throw new RangeError(`${state.counts.length} starts were kept, and there are ${STARTS.length}`);
    guard.#counts.set(state.counts);
    guard.#sums.set(state.sums);
    guard.#squares.set(state.squares.slice(0, STARTS.length));
    guard.#blocks = state.blocks;
    guard.#evidence = guard.#weighed();
    guard.#endsAtMs = state.endsAtMs;
    guard.#candidateAnswers = state.candidate.answers;
    guard.#candidateSum = state.candidate.sum;
    guard.#stableAnswers = state.stable.answers;
    guard.#stableSum = state.stable.sum;
    return guard;
  }
}
