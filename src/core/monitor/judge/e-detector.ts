const ODDS_FACTORS = [1.6, 4, 12, 60] as const;
/** Far above the threshold: counting on past it could only overflow. */
const STATISTIC_MAX = 1e150;

/**
 * Says when a rate has risen above a limit, without an end: where a canary's judge may be wrong once in a hundred
 * rollouts, something that watches for years needs a mean time between false alarms instead. For each factor by which
 * the odds may rise a Shiryaev-Roberts statistic `R ← (1 + R) L` is kept, with `L` the likelihood ratio of a block of
 * answers against the limit, whose mean is at most one while the rate is at most the limit; so the mean number of
 * blocks until the average of the statistics reaches `A` by chance is at least `A`. Source: e-detectors (Shin, Ramdas &
 * Rinaldo 2023, arXiv 2203.03532).
 */
export class EDetector {
  readonly #statistics = new Float64Array(ODDS_FACTORS.length);

  /** Mean of the components; alarm at the mean number of blocks between false alarms that is asked for. */
  get statistic(): number {
    let sum = 0;
    for (const one of this.#statistics) sum += one;
    return sum / ODDS_FACTORS.length;
  }

  /** One block of `seen` answers, `bad` of them bad; `limit` in (0, 1) must not depend on them. */
  update(block: { seen: number; bad: number }, limit: number): void {
    if (block.seen === 0) return;
    for (const [k, odds] of ODDS_FACTORS.entries()) {
      const raised = (odds * limit) / (1 - limit + odds * limit);
      const log =
        block.bad * Math.log(raised / limit) + (block.seen - block.bad) * Math.log((1 - raised) / (1 - limit));
      const grown = (1 + (this.#statistics[k] ?? 0)) * Math.exp(log);
      this.#statistics[k] = Math.min(STATISTIC_MAX, grown);
    }
  }

  /** Begins anew, after an alarm that has ended. */
  reset(): void {
    this.#statistics.fill(0);
  }

  toState(): number[] {
    return [...this.#statistics];
  }

  static fromState(state: readonly number[]): EDetector {
    const detector = new EDetector();
    if (state.length !== ODDS_FACTORS.length)
      throw new RangeError(`${state.length} statistics were kept, and there are ${ODDS_FACTORS.length}`);
    detector.#statistics.set(state);
    return detector;
  }
}
