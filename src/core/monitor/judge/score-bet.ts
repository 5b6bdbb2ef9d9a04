import { normalQuantile } from "../statistics/normal.ts";
import { ScoreReference, type ScoreReferenceState } from "./score-bet-reference.ts";
import { Wealth, type WealthState } from "./score-bet-wealth.ts";

/**
 * A bet on which arm answered, given how its number (a prediction, or the size of its error) stands among stable's.
 *
 * The number is turned into its rank among stable's newest 256 and that into a normal score `z`. Each bet names a ratio
 * `r(z)` of the density under the candidate to that under stable: shifted by θ (`exp(θ z - θ²/2)`,
 * θ ∈ ±{.1, .2, .4, .8}) or stretched by σ (`exp(z² (1 - 1/σ²) / 2) / σ`, σ ∈ {.6, .8, 1.25, 1.6}). A request that went
 * to the candidate with probability π grows it by `(candidate ? r : 1) / (1 - π + π r)`, whose expectation is 1 whatever
 * `r` is, as long as the arm was drawn by π and carries no news of the number. So bursts, trends and ramps that both
 * arms share cannot raise a false alarm. Source: testing by betting (Shafer 2021; Podkopaev & Ramdas arXiv 2305.00143);
 * the ratios are those of van der Waerden's and Klotz's tests.
 */
/** Its part of the whole chance of a false alarm, `alpha`: it alarms when this times the evidence is `1/alpha`. */
export const PREDICTIONS_WEIGHT = 0.15;
const SHIFTS = [0.1, 0.2, 0.4, 0.8] as const;
const STRETCHES = [0.6, 0.8, 1.25, 1.6] as const;
const FIXED_SHARE = 3e-4;
/** Beyond that, one extreme value would decide; the newest 256 of stable cannot tell it from 2.8 anyway. */
const SCORE_MAX = 3;
const TABLE_SIZE = 1024;
const ALL_PARTS = 2 * SHIFTS.length + STRETCHES.length;

/** What counts as news: any change of the numbers, or only that they became greater (for errors). */
export type ScoreDirection = "any" | "greater";

/** One answer of either arm. `probability` is the one with which the request went to the candidate. */
export interface ScoredAnswer {
  candidate: boolean;
  probability: number;
  score: number;
}

/** JSON-safe. */
export interface ScoreBetState {
  wealth: WealthState;
  reference: ScoreReferenceState;
  samples: { candidate: number; stable: number };
}

export class ScoreBet {
  readonly #reference = new ScoreReference();
  readonly #wealth: Wealth;
  readonly #factors: Float64Array;
  #candidates = 0;
  #stables = 0;

  constructor({ direction }: { direction: ScoreDirection }) {
    const parts = direction === "any" ? ALL_PARTS : SHIFTS.length;
    this.#wealth = new Wealth({ parts, share: FIXED_SHARE });
    this.#factors = new Float64Array(parts);
  }

  /** Throws a RangeError for a state of the other direction. */
  static fromState(options: { direction: ScoreDirection }, state: ScoreBetState): ScoreBet {
    const bet = new ScoreBet(options);
    bet.#wealth.restore(state.wealth);
    bet.#reference.restore(state.reference);
    bet.#candidates = state.samples.candidate;
    bet.#stables = state.samples.stable;
    return bet;
  }

  toState(): ScoreBetState {
    return { wealth: this.#wealth.toState(), reference: this.#reference.toState(), samples: this.samples };
  }

  /** Evidence against "the arms' numbers do not differ" (or "are not greater"); starts at 1. */
  get evidence(): number {
    return this.#wealth.evidence;
  }

  get samples(): { candidate: number; stable: number } {
    return { candidate: this.#candidates, stable: this.#stables };
  }

  /** Takes one answer in. A number that is not finite is left out, for both arms alike. */
  update({ candidate, probability, score }: ScoredAnswer): void {
    if (!Number.isFinite(score)) return;
    // With only one arm in play its label is certain, so there is nothing to bet on.
    const rank = probability > 0 && probability < 1 ? this.#reference.rankOf(score) : null;
    if (rank !== null && this.#wealth.canGrow) this.#bet(candidate, probability, rank);
    if (candidate) this.#candidates += 1;
    else {
      this.#stables += 1;
      // Only after the bet: what it stands among must come from the past alone.
      this.#reference.add(score);
    }
  }

  #bet(candidate: boolean, probability: number, rank: number): void {
    ratios ??= densityRatios();
    const factors = this.#factors;
    const from = ALL_PARTS * Math.min(TABLE_SIZE - 1, Math.floor(rank * TABLE_SIZE));
    for (let k = 0; k < factors.length; k += 1) {
      const ratio = ratios[from + k] ?? 1;
      factors[k] = (candidate ? ratio : 1) / (1 - probability + probability * ratio);
    }
    this.#wealth.grow(factors);
  }
}

/** By rank, to the nearest of 1,024, the ratio that each bet names: made once, for it costs a dozen exponentials. */
let ratios: Float64Array | null = null;

/** The shifts up come first, because a bet on greater numbers alone has no others. */
function densityRatios(): Float64Array {
  const table = new Float64Array(TABLE_SIZE * ALL_PARTS);
  const shifts = [...SHIFTS, ...SHIFTS.map((shift) => -shift)];
  for (let at = 0; at < TABLE_SIZE; at += 1) {
    const z = Math.min(SCORE_MAX, Math.max(-SCORE_MAX, normalQuantile((at + 0.5) / TABLE_SIZE)));
    const shifted = shifts.map((shift) => Math.exp(shift * z - (shift * shift) / 2));
    const stretched = STRETCHES.map((times) => Math.exp((z * z * (1 - 1 / (times * times))) / 2) / times);
    table.set([...shifted, ...stretched], ALL_PARTS * at);
  }
  return table;
}
