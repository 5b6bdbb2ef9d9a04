/**
 * A bet on *which arm answered*, given how the answer turned out.
 *
 * The router draws every request's arm with a probability it knows. If the candidate is no worse, the arm carries no
 * news about the outcome, so no strategy can be expected to grow its wealth: by Ville's inequality the chance that the
 * wealth ever reaches `1/alpha` is at most `alpha`, at any look, under any ramp, and whatever bursts and trends both
 * arms share. Each component bets that the odds of a bad outcome are multiplied by one factor; one component holds
 * cash. Source: testing by betting (Ville 1939; Waudby-Smith & Ramdas; Podkopaev & Ramdas arXiv 2305.00143), with
 * Herbster & Warmuth's fixed share so that a failure that starts late is still found.
 */
const ODDS_FACTORS = [1.25, 1.6, 2.2, 4, 12] as const;
/** The odds components and one that holds cash. */
const COMPONENTS = ODDS_FACTORS.length + 1;
const FIXED_SHARE = 3e-4;
/** How many observations the prior rate counts for. */
const PRIOR_OBSERVATIONS = 20;
const RATE_MIN = 1e-5;
const RATE_MAX = 0.98;
/** Far above any threshold: betting on past it could only overflow. */
const WEALTH_MAX = 1e150;

/** One answered request as the bet sees it. `probability` is the one with which the request went to the candidate. */
export interface ArmOutcome {
  candidate: boolean;
  probability: number;
  bad: boolean;
}

export class ArmBet {
  readonly #wealth = new Float64Array(COMPONENTS).fill(1);
  #wealthSum = COMPONENTS;
  #stableSeen = PRIOR_OBSERVATIONS;
  #stableBad: number;

  /** `priorRate` is the share of bad outcomes to expect of stable before any was seen; it affects speed, not validity. */
  constructor(options: { priorRate: number }) {
    this.#stableBad = options.priorRate * PRIOR_OBSERVATIONS;
  }

  /** Evidence against "the candidate is no worse than stable"; starts at 1. Alarm when the weighted sum is >= 1/alpha. */
  get evidence(): number {
    return this.#wealthSum / COMPONENTS;
  }

  update(outcome: ArmOutcome): void {
    const probability = outcome.probability;
    // With only one arm in play its label is certain, so there is nothing to bet on.
    if (probability > 0 && probability < 1 && this.#wealthSum < WEALTH_MAX) this.#bet(outcome, probability);
    // Only after the bet: the rate that sets the stakes must come from the past alone.
    if (!outcome.candidate) {
      this.#stableSeen += 1;
      if (outcome.bad) this.#stableBad += 1;
    }
  }

  #bet(outcome: ArmOutcome, probability: number): void {
    const rate = Math.min(RATE_MAX, Math.max(RATE_MIN, this.#stableBad / this.#stableSeen));
    const ifStable = outcome.bad ? rate : 1 - rate;
    const wealth = this.#wealth;
    let sum = wealth[COMPONENTS - 1] ?? 0;
    for (let k = 0; k < ODDS_FACTORS.length; k += 1) {
      const odds = ODDS_FACTORS[k] ?? 1;
      const raised = (odds * rate) / (1 - rate + odds * rate);
      const ifCandidate = outcome.bad ? raised : 1 - raised;
      const expected = probability * ifCandidate + (1 - probability) * ifStable;
      const grown = ((wealth[k] ?? 0) * (outcome.candidate ? ifCandidate : ifStable)) / expected;
      wealth[k] = grown;
      sum += grown;
    }
    const share = (FIXED_SHARE * sum) / COMPONENTS;
    for (let k = 0; k < COMPONENTS; k += 1) wealth[k] = (wealth[k] ?? 0) * (1 - FIXED_SHARE) + share;
    this.#wealthSum = sum;
  }
}
