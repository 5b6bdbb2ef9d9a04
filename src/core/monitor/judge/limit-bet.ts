import { takeWealth, WEALTH_MAX } from "./arm-bet.ts";

const ODDS_FACTORS = [1.6, 4, 12, 60] as const;
const COMPONENTS = ODDS_FACTORS.length + 1;

/**
 * Evidence that a rate is above an explicit limit, for when no second arm answers beside the candidate. The wealth is
 * a product of likelihood ratios against the limit, so under any true rate up to the limit it is a supermartingale and
 * reaches `1/alpha` with a chance of at most `alpha`. What it cannot do is tell a bad version from a bad hour: only a
 * concurrent arm can, which is why messages call it an explicit limit.
 */
export class LimitBet {
  readonly #wealth = new Float64Array(COMPONENTS).fill(1);
  #wealthSum = COMPONENTS;

  get evidence(): number {
    return this.#wealthSum / COMPONENTS;
  }

  /** `limit` is in (0, 1) and must not depend on this outcome. */
  update(bad: boolean, limit: number): void {
    if (this.#wealthSum >= WEALTH_MAX) return;
    const wealth = this.#wealth;
    let sum = wealth[COMPONENTS - 1] ?? 0;
    for (let k = 0; k < ODDS_FACTORS.length; k += 1) {
      const odds = ODDS_FACTORS[k] ?? 1;
      const raised = (odds * limit) / (1 - limit + odds * limit);
      const grown = (wealth[k] ?? 0) * (bad ? raised / limit : (1 - raised) / (1 - limit));
      wealth[k] = grown;
      sum += grown;
    }
    this.#wealthSum = sum;
  }

  toState(): number[] {
    return [...this.#wealth];
  }

  static fromState(wealth: readonly number[]): LimitBet {
    const bet = new LimitBet();
    bet.#wealthSum = takeWealth(bet.#wealth, wealth);
    return bet;
  }
}
