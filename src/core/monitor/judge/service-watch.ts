import type { AlarmEvaluation, AlarmFigure, AlarmName, AlarmState } from "../alarm/evaluation.ts";
import type { ServiceWatchState } from "./judge-state.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { LATENCY_FLOOR_MS, LATENCY_QUANTILE } from "./latency-judge.ts";
import { LatencySampler } from "./latency-sampler.ts";
import { rankInterval, rateInterval } from "./rate-interval.ts";
import { BLOCKS_BETWEEN_FALSE_ALARMS, RateWatch } from "./rate-watch.ts";
import { milliseconds, percentText, short } from "./verdict-text.ts";

/** What a version is compared with is what it did itself at first, for at least so many answers. */
const BASELINE_ANSWERS_MIN = 1000;
const BASELINE_ALPHA = 0.05;
const BLOCK_MS = 10_000;
const LIMIT_MIN = 1e-4;
const LIMIT_MAX = 0.98;
/** Replicas come back by themselves; what lasts longer does not. */
const UNHEALTHY_MS_MAX = 60_000;

export interface ServiceLimits {
  errorRateExcessMax: number;
  latencyRatioMax: number;
}

/** What the version answered before it served alone: during its rollout. */
export interface ServiceBaseline {
  requests: number;
  errors: number;
  latency: LatencyHistogram;
}

/**
 * Watches the version that serves after its rollout, without an end: its errors and latencies against those of its own
 * first answers, and its replicas against how many there should be. A rate alarms once it is above the baseline's upper
 * bound plus what the plan tolerated of a canary, with a false alarm in a hundred days at most in the mean. It cannot
 * tell a bad version from a bad hour, because nothing answers beside it.
 */
export class ServiceWatch {
  readonly #limits: ServiceLimits;
  readonly #baseline: ServiceBaseline;
  readonly #sampler = new LatencySampler();
  #errors = new RateWatch();
  #latency = new RateWatch();
  #errorLimit: number | null = null;
  #slowMs: number | null = null;
  #blockEndsAtMs: number | null = null;
  readonly #block = { requests: 0, errors: 0, judged: 0, slow: 0 };
  #unhealthySinceMs: number | null = null;

  constructor(options: { limits: ServiceLimits; baseline: ServiceBaseline }) {
    this.#limits = options.limits;
    this.#baseline = options.baseline;
    this.#settle();
  }

  /** To be asked when a request is drawn, as `CanaryJudge.drawn`. */
  sample(nowMs: number): boolean {
    return this.#sampler.sample(nowMs);
  }

  /** One answer that says something about the version. */
  record(answer: {
    readonly failed: boolean;
    readonly latencyMs: number;
    readonly latencySampled: boolean;
    readonly atMs: number;
  }): void {
    const errorLimit = this.#errorLimit;
    if (errorLimit === null) {
      this.#learn(answer);
      return;
    }
    this.#blockEndsAtMs ??= answer.atMs + BLOCK_MS;
    // A clock that was set back must not leave one block open for hours.
    const leftMs = this.#blockEndsAtMs - answer.atMs;
    if (leftMs <= 0 || leftMs > BLOCK_MS) this.#close(errorLimit, answer.atMs);
    const block = this.#block;
    block.requests += 1;
    if (answer.failed) block.errors += 1;
    else if (answer.latencySampled && this.#slowMs !== null) {
      block.judged += 1;
      if (answer.latencyMs > this.#slowMs) block.slow += 1;
    }
  }

  #learn(answer: { readonly failed: boolean; readonly latencyMs: number }): void {
    const baseline = this.#baseline;
    baseline.requests += 1;
    if (answer.failed) baseline.errors += 1;
    else baseline.latency.record(answer.latencyMs);
    if (baseline.requests >= BASELINE_ANSWERS_MIN) this.#settle();
  }

  /** Fixes the limits once enough is known, above what the baseline itself may be wrong by. */
  #settle(): void {
    const { requests, errors, latency } = this.#baseline;
    if (requests < BASELINE_ANSWERS_MIN) return;
    const { high } = rateInterval({ bad: errors, seen: requests }, BASELINE_ALPHA);
    this.#errorLimit = Math.min(LIMIT_MAX, Math.max(LIMIT_MIN, high + this.#limits.errorRateExcessMax));
    const ranks = rankInterval({ level: LATENCY_QUANTILE, seen: latency.total }, BASELINE_ALPHA);
    const slowMs = ranks === null ? null : latency.quantile(ranks.high);
    if (slowMs !== null) this.#slowMs = Math.max(slowMs * this.#limits.latencyRatioMax, slowMs + LATENCY_FLOOR_MS);
  }

  #close(errorLimit: number, atMs: number): void {
    const block = this.#block;
    this.#errors.block({ seen: block.requests, bad: block.errors }, errorLimit);
    this.#latency.block({ seen: block.judged, bad: block.slow }, 1 - LATENCY_QUANTILE);
    block.requests = 0;
    block.errors = 0;
    block.judged = 0;
    block.slow = 0;
    this.#blockEndsAtMs = atMs + BLOCK_MS;
  }

  /**
   * What the alarms say now; also closes a block that is over. `steadyMs` is of a clock that only goes forward: one that
   * is set an hour ahead must not make a replica that just died one that is missing for an hour.
   */
  evaluate(
    health: { wanted: number; healthy: number; failure: string | null },
    nowMs: number,
    steadyMs: number,
  ): AlarmEvaluation[] {
    if (this.#errorLimit !== null && this.#blockEndsAtMs !== null && nowMs >= this.#blockEndsAtMs)
      this.#close(this.#errorLimit, nowMs);
    return [this.#errorAlarm(nowMs), this.#latencyAlarm(nowMs), this.#healthAlarm(health, { atMs: nowMs, steadyMs })];
  }

  #errorAlarm(atMs: number): AlarmEvaluation {
    const of = { alarm: "ErrorRateAlarm", measure: "share of failed requests", atMs } as const;
    return this.#rateAlarm(of, { watch: this.#errors, limit: this.#errorLimit, what: "failed" });
  }

  #latencyAlarm(atMs: number): AlarmEvaluation {
    const of = { alarm: "LatencyAlarm", measure: "share of slow answers", atMs } as const;
    const limit = this.#slowMs === null ? null : 1 - LATENCY_QUANTILE;
    return this.#rateAlarm(of, { watch: this.#latency, limit, what: `took more than ${milliseconds(this.#slowMs)}` });
  }

  #rateAlarm(
    of: { alarm: AlarmName; measure: string; atMs: number },
    rate: { watch: RateWatch; limit: number | null; what: string },
  ): AlarmEvaluation {
    const { watch, limit, what } = rate;
    if (limit === null) {
      const reason = `${this.#baseline.requests} of the ${BASELINE_ANSWERS_MIN} answers are known that the version is compared with`;
      return { alarm: of.alarm, state: "INSUFFICIENT_DATA", atMs: of.atMs, reason, figures: [] };
    }
    const { seen, bad } = watch.recent;
    const state: AlarmState = watch.alarm ? "ALARM" : seen === 0 ? "INSUFFICIENT_DATA" : "OK";
    const counts = seen === 0 ? "no answer yet" : `${bad} of the newest ${seen} answers ${what}`;
    const statistic = `(statistic ${short(watch.statistic)}, alarm at ${BLOCKS_BETWEEN_FALSE_ALARMS.toExponential(0)})`;
    const reason = `${counts}; the limit is ${percentText(limit)} ${statistic}`;
    return { alarm: of.alarm, state, atMs: of.atMs, reason, figures: [rateFigure(of.measure, watch, limit, reason)] };
  }

  #healthAlarm(
    health: { wanted: number; healthy: number; failure: string | null },
    time: { atMs: number; steadyMs: number },
  ): AlarmEvaluation {
    const { wanted, healthy, failure } = health;
    const { atMs, steadyMs } = time;
    if (healthy >= wanted && failure === null) this.#unhealthySinceMs = null;
    else this.#unhealthySinceMs ??= steadyMs;
    const sinceMs = this.#unhealthySinceMs;
    const lasting = sinceMs !== null && steadyMs - sinceMs >= UNHEALTHY_MS_MAX;
    const breaching = failure !== null || lasting;
    const seconds = sinceMs === null ? 0 : Math.round((steadyMs - sinceMs) / 1000);
    const missing = sinceMs === null ? "" : `, for ${seconds} s so far and ${UNHEALTHY_MS_MAX / 1000} s at most`;
    const reason = failure ?? `${healthy} of ${wanted} replicas are healthy${missing}`;
    const figure: AlarmFigure = {
      ...{ subject: "replicas", measure: "healthy", observed: healthy, limit: wanted, samples: wanted },
      ...{ pValue: null, adjustedPValue: null, evidence: null, breaching, message: reason },
    };
    return { alarm: "HealthAlarm", state: breaching ? "ALARM" : "OK", atMs, reason, figures: [figure] };
  }

  toState(): ServiceWatchState {
    return {
      version: 1,
      limits: { ...this.#limits },
      baseline: {
        requests: this.#baseline.requests,
        errors: this.#baseline.errors,
        latency: this.#baseline.latency.toState(),
      },
      errors: this.#errors.toState(),
      latency: this.#latency.toState(),
    };
  }

  /** Goes on where `toState` left off, the open block excepted. Throws a RangeError when the state is none of its own. */
  static fromState(state: ServiceWatchState): ServiceWatch {
    const { requests, errors } = state.baseline;
    const latency = LatencyHistogram.fromState(state.baseline.latency);
    const watch = new ServiceWatch({ limits: state.limits, baseline: { requests, errors, latency } });
    watch.#errors = RateWatch.fromState(state.errors);
    watch.#latency = RateWatch.fromState(state.latency);
    return watch;
  }
}

function rateFigure(measure: string, watch: RateWatch, limit: number, message: string): AlarmFigure {
  const { seen, bad } = watch.recent;
  return {
    subject: "the version that serves",
    measure,
    observed: seen === 0 ? null : bad / seen,
    limit,
    samples: seen,
    pValue: null,
    adjustedPValue: null,
    evidence: watch.statistic,
    breaching: watch.alarm,
    message,
  };
}
