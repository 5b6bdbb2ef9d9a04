import { takeWealth, WEALTH_MAX } from "./arm-bet.ts";
import type { BetState } from "./judge-state.ts";

/** Each component stakes this part of the most that can be staked without the risk of losing all. */
const STAKES = [0.05, 0.1, 0.2, 0.4, 0.8] as const;
const COMPONENTS = STAKES.length + 1;
const PRIOR_OBSERVATIONS = 20;
const PRIOR_RATE = 0.01;

/**
 * Evidence *for* the candidate: against "its share of failures is above stable's by `margin` or more".
 *
 * `Z = (A - π)(Y - p̂) / (π (1 - π))`, with `A` one for the candidate and `Y` one for a failure, has the difference of
 * the two shares as its mean, whatever `p̂` is taken from the past. Wealth is multiplied by `1 + λ (margin - Z)`, which
 * cannot be expected to grow while the difference is the margin or more. Source: testing by betting (Waudby-Smith &
 * Ramdas 2023) on the inverse-probability estimate of a difference (Horvitz & Thompson; Lindon & Malek 2020).
 */
export class ExcessProof {
  readonly #wealth = new Float64Array(COMPONENTS).fill(1);
  #wealthSum = COMPONENTS;
  #seen = PRIOR_OBSERVATIONS;
  #bad = PRIOR_OBSERVATIONS * PRIOR_RATE;
  #bets = 0;

  get evidence(): number {
    return this.#wealthSum / COMPONENTS;
  }

  update(candidate: boolean, probability: number, bad: boolean, margin: number): void {
    if (probability > 0 && probability < 1 && this.#wealthSum < WEALTH_MAX) {
      const rate = this.#bad / this.#seen;
      const side = candidate ? 1 / probability : -1 / (1 - probability);
      const gain = margin - side * ((bad ? 1 : 0) - rate);
      const stakeMax = stakeMaxOf(probability, rate, margin);
      const wealth = this.#wealth;
      let sum = wealth[COMPONENTS - 1] ?? 0;
      for (let k = 0; k < STAKES.length; k += 1) {
        const grown = (wealth[k] ?? 0) * (1 + (STAKES[k] ?? 0) * stakeMax * gain);
        wealth[k] = grown;
        sum += grown;
      }
      this.#bets += 1;
      this.#wealthSum = sum;
    }
    if (candidate) return;
    this.#seen += 1;
    if (bad) this.#bad += 1;
  }

  /** About how much the log of the evidence grows a request at these shares of failures; not above 0: it never will. */
  growth(shares: { candidate: number; stable: number; probability: number }, margin: number): number {
    const { probability, candidate, stable } = shares;
    const stakeMax = stakeMaxOf(probability, stable, margin);
    let best = 0;
    for (const part of STAKES) {
      const logOf = (side: number, bad: number) => Math.log(1 + part * stakeMax * (margin - side * (bad - stable)));
      const ofCandidate = candidate * logOf(1 / probability, 1) + (1 - candidate) * logOf(1 / probability, 0);
      const ofStable = stable * logOf(-1 / (1 - probability), 1) + (1 - stable) * logOf(-1 / (1 - probability), 0);
      best = Math.max(best, probability * ofCandidate + (1 - probability) * ofStable);
    }
    return best;
  }

  toState(): BetState {
    return { wealth: [...this.#wealth], bets: this.#bets, seen: this.#seen, bad: this.#bad };
  }

  static fromState(state: BetState): ExcessProof {
    const proof = new ExcessProof();
    proof.#wealthSum = takeWealth(proof.#wealth, state.wealth);
    proof.#bets = state.bets;
    proof.#seen = state.seen;
    proof.#bad = state.bad;
    return proof;
  }
}

/** The stake at which the worst single outcome would take everything. */
function stakeMaxOf(probability: number, rate: number, margin: number): number {
  const worst = Math.max((1 - rate) / probability, rate / (1 - probability));
  return 1 / Math.max(1, worst - margin);
}
