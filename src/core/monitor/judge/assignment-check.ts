import { ArmBet, EITHER_ODDS, takeWealth } from "./arm-bet.ts";
import type { AssignmentState } from "./judge-state.ts";

/** Most chance that a draw that is as random as it should be voids a verdict. */
const ALPHA = 1e-4;
/** Either half may void it at half of that. */
const THRESHOLD = 2 / ALPHA;
/** The candidate's odds are multiplied by these in truth. */
const SHARE_ODDS = [0.25, 0.6, 0.85, 1.18, 1.7, 4] as const;
/** So much likelier, or less likely, is the candidate right after the candidate. */
const SEQUENCE_ODDS = [0.2, 5] as const;
const COMPONENTS = SHARE_ODDS.length + SEQUENCE_ODDS.length + 1;
const PRIOR_REFUSAL_RATE = 0.01;

/**
 * Whether requests were given to the versions as at random as the judge's whole reasoning supposes. Two bets: that the
 * drawn labels are not independent coin flips of the logged probability (another share, or a pattern such as a round
 * robin), and that answers are left out of the judgement (the caller's own faults) more often in one arm than in the
 * other, because then what is left is no random part of either. It says nothing of who is to blame.
 */
export class AssignmentCheck {
  readonly #wealth = new Float64Array(COMPONENTS).fill(1);
  #wealthSum = COMPONENTS;
  #drawn = 0;
  #candidates = 0;
  #expected = 0;
  #afterCandidate = false;
  #leftOut = new ArmBet({ priorRate: PRIOR_REFUSAL_RATE, odds: EITHER_ODDS });
  #candidateLeftOut = 0;
  #stableLeftOut = 0;

  /** Draws with both arms in play, the candidate's among them, and how many those were expected to be. */
  get draws(): { total: number; candidate: number; expected: number } {
    return { total: this.#drawn, candidate: this.#candidates, expected: this.#expected };
  }

  get leftOut(): { candidate: number; stable: number } {
    return { candidate: this.#candidateLeftOut, stable: this.#stableLeftOut };
  }

  /** Against "the draw is as random as it was meant to be". */
  get drawEvidence(): number {
    return this.#wealthSum / COMPONENTS;
  }

  /** Against "as many answers of both arms are left out". */
  get leftOutEvidence(): number {
    return this.#leftOut.evidence;
  }

  get drawIsBroken(): boolean {
    return this.drawEvidence >= THRESHOLD;
  }

  get threshold(): number {
    return THRESHOLD;
  }

  drawn(candidate: boolean, probability: number): void {
    if (probability <= 0 || probability >= 1) return;
    this.#drawn += 1;
    this.#expected += probability;
    if (candidate) this.#candidates += 1;
    const after = this.#afterCandidate;
    this.#afterCandidate = candidate;
    // What was found stays found: a share that is right again does not mend what was judged before.
    if (this.drawIsBroken) return;
    const wealth = this.#wealth;
    let sum = wealth[COMPONENTS - 1] ?? 0;
    for (let k = 0; k < COMPONENTS - 1; k += 1) {
      const sequence = k - SHARE_ODDS.length;
      const odds = sequence < 0 ? (SHARE_ODDS[k] ?? 1) : after ? (SEQUENCE_ODDS[sequence] ?? 1) : 1;
      const grown = ((wealth[k] ?? 0) * (candidate ? odds : 1)) / (1 - probability + odds * probability);
      wealth[k] = grown;
      sum += grown;
    }
    this.#wealthSum = sum;
  }

  answered(candidate: boolean, probability: number, leftOut: boolean): void {
    if (leftOut && candidate) this.#candidateLeftOut += 1;
    else if (leftOut) this.#stableLeftOut += 1;
    if (this.leftOutEvidence < THRESHOLD) this.#leftOut.update(candidate, probability, leftOut);
  }

  toState(): AssignmentState {
    return {
      wealth: [...this.#wealth],
      drawn: this.#drawn,
      candidates: this.#candidates,
      expected: this.#expected,
      afterCandidate: this.#afterCandidate,
      leftOut: this.#leftOut.toState(),
      candidateLeftOut: this.#candidateLeftOut,
      stableLeftOut: this.#stableLeftOut,
    };
  }

  static fromState(state: AssignmentState): AssignmentCheck {
    const check = new AssignmentCheck();
    check.#wealthSum = takeWealth(check.#wealth, state.wealth);
    check.#drawn = state.drawn;
    check.#candidates = state.candidates;
    check.#expected = state.expected;
    check.#afterCandidate = state.afterCandidate;
    check.#leftOut = ArmBet.fromState(state.leftOut, { priorRate: PRIOR_REFUSAL_RATE, odds: EITHER_ODDS });
    check.#candidateLeftOut = state.candidateLeftOut;
    check.#stableLeftOut = state.stableLeftOut;
    return check;
  }
}
