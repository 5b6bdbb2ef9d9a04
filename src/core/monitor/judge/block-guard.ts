import { takeWealth, WEALTH_MAX } from "./arm-bet.ts";
import type { GuardState } from "./judge-state.ts";
import { sharePart } from "./share-part.ts";

const BLOCK_MS = 60_000;
/** A block of fewer answers of one arm goes on until there are so many. */
const ARM_ANSWERS_MIN = 5;
/** So many blocks only teach how much the arms differ from block to block by themselves. */
const CALIBRATION_BLOCKS = 3;
const STAKES = [0.15, 0.35, 0.65, 0.95] as const;
const COMPONENTS = STAKES.length + 1;
const FIXED_SHARE = 0.01;
const DEVIATION_MIN = 1e-9;

/**
 * Evidence that the candidate's scores are higher, from whole minutes. Answers of one version depend on each other (a
 * replica is slow for a while, and everything it answers then), and a bet request by request takes each for news. Here
 * a minute is one observation: `z`, the difference of the arms' means, against `s`, what differences of the past
 * minutes scatter by, `s² = mean (Δz)² / 2`. Wealth is multiplied by `1 + λ clip(z / s, ±1)`. This is a guard and no
 * proof: it holds as far as minutes are independent and symmetric about no difference.
 */
export class BlockGuard {
  readonly #wealth = new Float64Array(COMPONENTS).fill(1);
  #wealthSum = COMPONENTS;
  #blocks = 0;
  #lastDifference = 0;
  #jumpSquares = 0;
  #endsAtMs: number | null = null;
  #candidateAnswers = 0;
  #candidateSum = 0;
  #stableAnswers = 0;
  #stableSum = 0;

  get evidence(): number {
    return this.#wealthSum / COMPONENTS;
  }

  /** Minutes that counted so far, those that only calibrate included. */
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
    if (this.#blocks >= CALIBRATION_BLOCKS && this.#wealthSum < WEALTH_MAX) this.#bet(difference);
    if (this.#blocks > 0) this.#jumpSquares += (difference - this.#lastDifference) ** 2;
    this.#lastDifference = difference;
    this.#blocks += 1;
  }

  #bet(difference: number): void {
    // From the past alone: of this block's own scatter nothing is in the yardstick.
    const deviation = Math.max(DEVIATION_MIN, Math.sqrt(this.#jumpSquares / (2 * (this.#blocks - 1))));
    const clipped = Math.max(-1, Math.min(1, difference / deviation));
    const wealth = this.#wealth;
    let sum = wealth[COMPONENTS - 1] ?? 0;
    for (let k = 0; k < STAKES.length; k += 1) {
      const grown = (wealth[k] ?? 0) * (1 + (STAKES[k] ?? 0) * clipped);
      wealth[k] = grown;
      sum += grown;
    }
    const part = sharePart(this.#blocks - CALIBRATION_BLOCKS + 1, FIXED_SHARE);
    const share = (part * sum) / COMPONENTS;
    for (let k = 0; k < COMPONENTS; k += 1) wealth[k] = (wealth[k] ?? 0) * (1 - part) + share;
    this.#wealthSum = sum;
  }

  toState(): GuardState {
    return {
      wealth: [...this.#wealth],
      blocks: this.#blocks,
      lastDifference: this.#lastDifference,
      jumpSquares: this.#jumpSquares,
      endsAtMs: this.#endsAtMs,
      candidate: { answers: this.#candidateAnswers, sum: this.#candidateSum },
      stable: { answers: this.#stableAnswers, sum: this.#stableSum },
    };
  }

  static fromState(state: GuardState): BlockGuard {
    const guard = new BlockGuard();
    guard.#wealthSum = takeWealth(guard.#wealth, state.wealth);
    guard.#blocks = state.blocks;
    guard.#lastDifference = state.lastDifference;
    guard.#jumpSquares = state.jumpSquares;
    guard.#endsAtMs = state.endsAtMs;
    guard.#candidateAnswers = state.candidate.answers;
    guard.#candidateSum = state.candidate.sum;
    guard.#stableAnswers = state.stable.answers;
    guard.#stableSum = state.stable.sum;
    return guard;
  }
}
