import { ArmBet } from "./arm-bet.ts";
import { ExcessProof } from "./excess-proof.ts";
import type { ErrorState } from "./judge-state.ts";
import { LabelWalk } from "./label-walk.ts";
import { LimitBet } from "./limit-bet.ts";

const PRIOR_ERROR_RATE = 0.01;

/** All that is known about the candidate's failures: three ways to find it worse, and one to prove it good enough. */
export class ErrorJudge {
  #bet = new ArmBet({ priorRate: PRIOR_ERROR_RATE });
  #limit = new LimitBet();
  #walk = new LabelWalk();
  #proof = new ExcessProof();

  /** Against "the candidate fails no more often". */
  get evidence(): number {
    // The bet lives while both arms answer, the limit while the candidate is alone: one wealth that went on.
    return this.#bet.evidence * this.#limit.evidence;
  }

  /** Against "the candidate fails more often by the margin or more". */
  get proof(): number {
    return this.#proof.evidence;
  }

  get walk(): LabelWalk {
    return this.#walk;
  }

  /** `limit` is what the candidate's share of failures is held against where it answers alone. */
  update(answer: { candidate: boolean; probability: number; failed: boolean }, limits: ErrorLimits): void {
    const { candidate, probability, failed } = answer;
    this.#bet.update(candidate, probability, failed);
    if (candidate && probability >= 1) this.#limit.update(failed, limits.errorRateLimit);
    if (failed) this.#walk.event(candidate, probability, limits.walkAlpha);
    this.#proof.update(candidate, probability, failed, limits.errorRateExcessMax);
  }

  /** See `ExcessProof.growth`. */
  proofGrowth(shares: { candidate: number; stable: number; probability: number }, margin: number): number {
    return this.#proof.growth(shares, margin);
  }

  toState(): ErrorState {
    return {
      bet: this.#bet.toState(),
      limit: this.#limit.toState(),
      walk: this.#walk.toState(),
      proof: this.#proof.toState(),
    };
  }

  static fromState(state: ErrorState): ErrorJudge {
    const judge = new ErrorJudge();
    judge.#bet = ArmBet.fromState(state.bet, { priorRate: PRIOR_ERROR_RATE });
    judge.#limit = LimitBet.fromState(state.limit);
    judge.#walk = LabelWalk.fromState(state.walk);
    judge.#proof = ExcessProof.fromState(state.proof);
    return judge;
  }
}

export interface ErrorLimits {
  readonly walkAlpha: number;
  readonly errorRateLimit: number;
  readonly errorRateExcessMax: number;
}
