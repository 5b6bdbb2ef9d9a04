import type { ArmMinutes, Minutes } from "../minutes.ts";
import { type Metric, NEVER, type Rule } from "./contestant.ts";

/** Upper 1 % point of the standard normal. */
const ONE_LOOK = 2.326348;
/**
 * O'Brien & Fleming (Biometrics 1979) for ten equally spaced looks and 1 % on one side: look k of K stops at
 * `constant sqrt(K / k)`. The constant by numerical integration (Armitage, McPherson & Rowe 1969).
 */
const OBRIEN_FLEMING = 2.42552;
const LOOKS = 10;
const HOUR_MINUTES = 60;
/** Fewer of the candidate's requests than that and nobody would look at a z-test. */
const CANDIDATE_MIN = 30;

/** The test of one fixed sample, made again every minute with all that came so far. */
export function zEveryMinute(metric: Metric): Rule {
  return ({ minutes }) => {
    const sums = new RunningZ(minutes, metric);
    for (let minute = 0; minute < minutes.count; minute += 1) {
      if (sums.add(minute) >= ONE_LOOK) return minutes.soFar[minute] ?? 0;
    }
    return NEVER;
  };
}

export function obrienFleming(metric: Metric): Rule {
  return ({ minutes }) => {
    const sums = new RunningZ(minutes, metric);
    for (let minute = 0; minute < Math.min(HOUR_MINUTES, minutes.count); minute += 1) {
      const z = sums.add(minute);
      const look = ((minute + 1) * LOOKS) / HOUR_MINUTES;
      if (Number.isInteger(look) && z >= OBRIEN_FLEMING * Math.sqrt(LOOKS / look)) return minutes.soFar[minute] ?? 0;
    }
    return NEVER;
  };
}

/** For errors two proportions, pooled; for latency Welch's statistic on the logarithm. */
class RunningZ {
  readonly #minutes: Minutes;
  readonly #metric: Metric;
  readonly #candidate = { n: 0, sum: 0, squares: 0 };
  readonly #stable = { n: 0, sum: 0, squares: 0 };

  constructor(minutes: Minutes, metric: Metric) {
    this.#minutes = minutes;
    this.#metric = metric;
  }

  /** z with this minute added; 0 while there is too little. */
  add(minute: number): number {
    this.#take(this.#minutes.candidate, this.#candidate, minute);
    this.#take(this.#minutes.stable, this.#stable, minute);
    const c = this.#candidate;
    const s = this.#stable;
    if (c.n < CANDIDATE_MIN || s.n < CANDIDATE_MIN) return 0;
    const pooled = (c.sum + s.sum) / (c.n + s.n);
    const variance =
      this.#metric === "errors"
        ? pooled * (1 - pooled) * (1 / c.n + 1 / s.n)
        : (c.squares / c.n - (c.sum / c.n) ** 2) / c.n + (s.squares / s.n - (s.sum / s.n) ** 2) / s.n;
    return variance <= 0 ? 0 : (c.sum / c.n - s.sum / s.n) / Math.sqrt(variance);
  }

  #take(arm: ArmMinutes, into: { n: number; sum: number; squares: number }, minute: number): void {
    into.n += arm.requests[minute] ?? 0;
    into.sum += (this.#metric === "errors" ? arm.errors[minute] : arm.logLatencySum[minute]) ?? 0;
    into.squares += arm.logLatencySquares[minute] ?? 0;
  }
}
