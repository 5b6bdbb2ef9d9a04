import type { ColumnProfile } from "../sketch/column-profile.ts";
import { normalQuantile } from "../statistics/normal.ts";
import { Wealth, type WealthState } from "./score-bet-wealth.ts";
import { SeededDraws } from "./urn-draws.ts";
import { placeOf, type UrnEdges, urnBinOf, urnEdges } from "./urn-edges.ts";

/**
 * A sequential test of one column against a baseline that is itself only a sample.
 *
 * Between order statistics of the baseline lie `n0 + 1` gaps. If what comes has the baseline's distribution, whatever
 * that is, the bins that its rows fall into follow a Polya urn that starts with each bin's number of gaps: after `t`
 * rows the next falls into bin `b` with probability `(gaps_b + rows_b) / (n0 + 1 + t)`. So no distribution need be
 * known, and the baseline is never taken for the truth (Wilks 1941; conformal test martingales, Vovk arXiv 1906.09256).
 * On that prediction two kinds of bets are made:
 *
 * - on a score `s` of the bin, for location and for scale: `1 + λ (s(b) - mean of s in the urn)`, λ ∈ ±{.05, .1, .2, .4};
 * - on any change of shape: the urn of `m` gaps instead of `n0 + 1`, which believes the newest rows sooner:
 *   `((m gaps_b / (n0 + 1) + rows_b) / (m + t)) / ((gaps_b + rows_b) / (n0 + 1 + t))`, m ∈ {25, 100, 400}.
 *
 * Equal values are ordered by uniform draws, which makes ties and categories continuous and so exact too. A cut at a
 * value that many rows share lies at a rank that depends on the data; that moves a bin's probability by at most
 * about `1/n0`, far below what the baseline itself leaves open (`sqrt(.05/n0)`).
 */
const STAKES = [-0.4, -0.2, -0.1, -0.05, 0.05, 0.1, 0.2, 0.4] as const;
const URN_SIZES = [25, 100, 400] as const;
const PARTS = 2 * STAKES.length + URN_SIZES.length;
const FIXED_SHARE = 1e-4;

/** JSON-safe. Rows are counted from the moment on at which the test began. */
export interface UrnDriftState {
  seed: number;
  draws: number;
  rows: readonly number[];
  /** Sums of the scores over the urn's balls, for location and scale: kept so that not a rounding differs. */
  sums: readonly [location: number, scale: number];
  wealth: WealthState;
}

export class UrnDrift {
  readonly #edges: UrnEdges;
  readonly #seed: number;
  readonly #draws: SeededDraws;
  readonly #rows: Float64Array;
  readonly #wealth = new Wealth({ parts: PARTS, share: FIXED_SHARE });
  readonly #factors = new Float64Array(PARTS);
  /** Of each bin: its score for location, and for scale. */
  readonly #location: Float64Array;
  readonly #scale: Float64Array;
  readonly #gapsAll: number;
  #rowsAll = 0;
  /** Sums of the scores over the urn's balls. */
  #locationSum = 0;
  #scaleSum = 0;

  private constructor(edges: UrnEdges, seed: number) {
    this.#edges = edges;
    this.#seed = seed >>> 0;
    // Another stream than the one that placed the edges.
    this.#draws = new SeededDraws(seed ^ 0x9e3779b9);
    const { gaps } = edges;
    this.#rows = new Float64Array(gaps.length);
    this.#gapsAll = gaps.reduce((sum, gap) => sum + gap, 0);
    const middles = middleRanks(gaps, this.#gapsAll);
    this.#location = middles.map((rank) => 2 * rank - 1);
    this.#scale = middles.map(
      (rank) => 2 * Math.min(1, (normalQuantile(rank) / normalQuantile(SCALE_FULL_AT)) ** 2) - 1,
    );
    for (let bin = 0; bin < gaps.length; bin += 1) this.#count(bin, gaps[bin] ?? 0);
  }

  /**
   * null where the test must not be made: fewer than 40 values in the baseline, more categories than its list holds, or
   * edges from a sketch, whose ranks are not exact. `seed` should differ from column to column and from host to host.
   */
  static of(profile: ColumnProfile, seed: number): UrnDrift | null {
    const edges = urnEdges(profile, seed);
    return edges === null || edges.gaps.length < 2 ? null : new UrnDrift(edges, seed);
  }

  /** Throws a RangeError for a state that belongs to another profile. */
  static fromState(profile: ColumnProfile, state: UrnDriftState): UrnDrift | null {
    const test = UrnDrift.of(profile, state.seed);
    if (test === null) return null;
    if (state.rows.length !== test.#rows.length) throw new RangeError("the state is of a profile with other bins");
    for (let bin = 0; bin < state.rows.length; bin += 1) {
      const rows = state.rows[bin] ?? 0;
      test.#rows[bin] = rows;
      test.#rowsAll += rows;
    }
    [test.#locationSum, test.#scaleSum] = state.sums;
    test.#draws.state = state.draws;
    test.#wealth.restore(state.wealth);
    return test;
  }

  toState(): UrnDriftState {
    return {
      seed: this.#seed,
      draws: this.#draws.state,
      rows: Array.from(this.#rows),
      sums: [this.#locationSum, this.#scaleSum],
      wealth: this.#wealth.toState(),
    };
  }

  /** Evidence against "what came has the baseline's distribution"; starts at 1. */
  get evidence(): number {
    return this.#wealth.evidence;
  }

  /** Rows the evidence rests on. */
  get rows(): number {
    return this.#rowsAll;
  }

  /** A row's value as the profile's kind has it. Missing, mismatched and infinite values are other checks' business. */
  update(value: number | string): void {
    const key = typeof value === "number" ? value : placeOf(this.#edges, value);
    const bin = urnBinOf(this.#edges, key, this.#draws.next());
    if (this.#wealth.canGrow) this.#bet(bin);
    this.#rows[bin] = (this.#rows[bin] ?? 0) + 1;
    this.#rowsAll += 1;
    this.#count(bin, 1);
  }

  #bet(bin: number): void {
    const factors = this.#factors;
    const balls = this.#gapsAll + this.#rowsAll;
    const location = (this.#location[bin] ?? 0) - this.#locationSum / balls;
    const scale = (this.#scale[bin] ?? 0) - this.#scaleSum / balls;
    for (let k = 0; k < STAKES.length; k += 1) {
      const stake = STAKES[k] ?? 0;
      factors[k] = 1 + stake * location;
      factors[STAKES.length + k] = 1 + stake * scale;
    }
    const gaps = this.#edges.gaps[bin] ?? 0;
    const rows = this.#rows[bin] ?? 0;
    const predicted = (gaps + rows) / balls;
    const base = gaps / this.#gapsAll;
    for (let k = 0; k < URN_SIZES.length; k += 1) {
      const size = URN_SIZES[k] ?? 1;
      factors[2 * STAKES.length + k] = (size * base + rows) / ((size + this.#rowsAll) * predicted);
    }
    this.#wealth.grow(factors);
  }

  #count(bin: number, balls: number): void {
    this.#locationSum += balls * (this.#location[bin] ?? 0);
    this.#scaleSum += balls * (this.#scale[bin] ?? 0);
  }
}

/** From this rank on the scale score is at its limit: the middle of the last of twenty bins. */
const SCALE_FULL_AT = 0.975;

function middleRanks(gaps: Float64Array, gapsAll: number): Float64Array {
  let before = 0;
  return gaps.map((gap) => {
    const middle = (before + gap / 2) / gapsAll;
    before += gap;
    return middle;
  });
}
