import type { BetState } from "./judge-state.ts";
import { sharePart } from "./share-part.ts";

/** How many times the odds of a bad outcome a worse candidate may have; one component bets on each. */
export const WORSE_ODDS = [1.25, 1.6, 2.2, 4, 12] as const;
/** For proving the opposite: the candidate fails less often than it would if it were as bad as it may be. */
export const BETTER_ODDS = [0.5, 0.65, 0.8, 0.9] as const;
/** For telling that two arms differ, whichever way. */
export const EITHER_ODDS = [0.1, 0.4, 2.5, 10] as const;

/** How many observations the prior rate counts for. */
const PRIOR_OBSERVATIONS = 20;
const RATE_MIN = 1e-5;
const RATE_MAX = 0.98;
/** Far above any threshold: betting on past it could only overflow. */
export const WEALTH_MAX = 1e150;

/**
 * A bet on *which arm answered*, given how the answer turned out.
 *
 * The router draws every request's arm with a probability it knows. If the candidate is no worse, the arm carries no
 * news about the outcome, so no strategy can be expected to grow its wealth: by Ville's inequality the chance that the
 * wealth ever reaches `1/alpha` is at most `alpha`, at any look, under any ramp, and whatever bursts and trends both
 * arms share. Each component bets that the odds of a bad outcome are multiplied by one factor; one more holds cash.
 * Source: testing by betting (Ville 1939; Waudby-Smith & Ramdas; Podkopaev & Ramdas arXiv 2305.00143), with Herbster &
 * Warmuth's fixed share so that a failure that starts late is still found.
 */
export class ArmBet {
  readonly #odds: readonly number[];
  readonly #wealth: Float64Array;
  readonly #components: number;
  #wealthSum: number;
  #bets = 0;
  #stableSeen = PRIOR_OBSERVATIONS;
  #stableBad: number;

  /** `priorRate` is the share of bad outcomes to expect of stable before any was seen; it affects speed, not validity. */
  constructor(options: { priorRate: number; odds?: readonly number[] }) {
    this.#odds = options.odds ?? WORSE_ODDS;
    this.#components = this.#odds.length + 1;
    this.#wealth = new Float64Array(this.#components).fill(1);
    this.#wealthSum = this.#components;
    this.#stableBad = options.priorRate * PRIOR_OBSERVATIONS;
  }

  /** Evidence against "the candidate's odds of a bad outcome are not multiplied"; starts at 1. */
  get evidence(): number {
    return this.#wealthSum / this.#components;
  }

  /** What stable's share of bad outcomes is taken for by the next bet. */
  get stableRate(): number {
    return Math.min(RATE_MAX, Math.max(RATE_MIN, this.#stableBad / this.#stableSeen));
  }

  /** One answered request; `probability` is the one with which it went to the candidate when it was drawn. */
  update(candidate: boolean, probability: number, bad: boolean): void {
    // With only one arm in play its label is certain, so there is nothing to bet on.
    if (probability > 0 && probability < 1 && this.#wealthSum < WEALTH_MAX) this.#bet(candidate, probability, bad);
    // Only after the bet: the rate that sets the stakes must come from the past alone.
    if (!candidate) {
      this.#stableSeen += 1;
      if (bad) this.#stableBad += 1;
    }
  }

  #bet(candidate: boolean, probability: number, bad: boolean): void {
    const rate = this.stableRate;
    const ifStable = bad ? rate : 1 - rate;
    const wealth = this.#wealth;
    const last = this.#components - 1;
    let sum = wealth[last] ?? 0;
    for (let k = 0; k < last; k += 1) {
      const odds = this.#odds[k] ?? 1;
      // P(outcome | candidate) = odds rate / (1 - rate + odds rate), or the rest to 1.
      const ifCandidate = (bad ? odds * rate : 1 - rate) / (1 - rate + odds * rate);
      const expected = probability * ifCandidate + (1 - probability) * ifStable;
      const grown = ((wealth[k] ?? 0) * (candidate ? ifCandidate : ifStable)) / expected;
      wealth[k] = grown;
      sum += grown;
    }
    this.#bets += 1;
    const part = sharePart(this.#bets);
    const share = (part * sum) / this.#components;
    for (let k = 0; k <= last; k += 1) wealth[k] = (wealth[k] ?? 0) * (1 - part) + share;
    this.#wealthSum = sum;
  }

  /** About how much the log of the evidence grows a request, if the arms' shares of bad outcomes stay as given. */
  growth(shares: { candidate: number; stable: number; probability: number }): number {
    const { probability } = shares;
    const rate = Math.min(RATE_MAX, Math.max(RATE_MIN, shares.stable));
    let best = 0;
    for (const odds of this.#odds) {
      const raised = (odds * rate) / (1 - rate + odds * rate);
      const ifBad = probability * raised + (1 - probability) * rate;
      const candidate =
        shares.candidate * Math.log(raised / ifBad) + (1 - shares.candidate) * Math.log((1 - raised) / (1 - ifBad));
      const stable = rate * Math.log(rate / ifBad) + (1 - rate) * Math.log((1 - rate) / (1 - ifBad));
      best = Math.max(best, probability * candidate + (1 - probability) * stable);
    }
    return best;
  }

  toState(): BetState {
    return { wealth: [...this.#wealth], bets: this.#bets, seen: this.#stableSeen, bad: this.#stableBad };
  }

  static fromState(state: BetState, options: { priorRate: number; odds?: readonly number[] }): ArmBet {
    const bet = new ArmBet(options);
    bet.#wealthSum = takeWealth(bet.#wealth, state.wealth);
    bet.#bets = state.bets;
    bet.#stableSeen = state.seen;
    bet.#stableBad = state.bad;
    return bet;
  }
}

/** Takes kept wealth over and answers its sum; throws a RangeError when it is that of another bet. */
export function takeWealth(into: Float64Array, kept: readonly number[]): number {
  if (kept.length !== into.length)
    throw new RangeError(`${kept.length} components were kept, and this bet has ${into.length}`);
  into.set(kept);
  let sum = 0;
  for (const one of into) sum += one;
  return sum;
}
