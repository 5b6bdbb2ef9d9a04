import { ArmBet } from "./arm-bet.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { LimitBet } from "./limit-bet.ts";

/** What the judge may tolerate; the same numbers as the target's guard. */
export interface JudgeGuard {
  /** Most false alarms over a rollout's life. */
  alpha: number;
  requestsMin: number;
  errorRateExcessMax: number;
  latencyRatioMax: number;
  onHealthCheckFailure: boolean;
}

/** One answered request. Faults of the caller are never shown to the judge: they say nothing about a version. */
export interface JudgedRequest {
  candidate: boolean;
  /** With which the request went to the candidate when it was drawn. */
  probability: number;
  failed: boolean;
  latencyMs: number;
  /** What `sampleLatency` answered when the request was drawn. */
  latencySampled: boolean;
  atMs: number;
}

export interface JudgeAlarm {
  metric: "errors" | "latency";
  atMs: number;
  firstBadAtMs: number | null;
  candidateRequests: number;
  candidateErrors: number;
  /** One sentence with the numbers in it. */
  cause: string;
}

/** Errors and latency share the alarm budget evenly: the sum of weighted evidence is evidence too, under any dependence. */
const ERRORS_WEIGHT = 0.5;
const LATENCY_WEIGHT = 0.5;
const PRIOR_ERROR_RATE = 0.01;
const LATENCY_QUANTILE = 0.9;
/** A quantile of fewer answers of stable than this is not worth betting on. */
const STABLE_LATENCIES_MIN = 50;
const STABLE_LATENCIES_KEPT = 8192;
/** The quantile is read again every so many answers; in between it is the past's, which is all the bet needs. */
const QUANTILE_EVERY = 32;
/**
 * A candidate is slow only when it is also this much slower in absolute terms. Between 0.2 ms and 0.4 ms nobody can
 * tell a slower model from a process that was just started.
 */
export const LATENCY_FLOOR_MS = 5;
/**
 * At most one latency a block: a process that is descheduled for 20 ms delays everything it holds at once, and those
 * answers are one event, not sixteen.
 */
const LATENCY_BLOCK_MS = 200;
const LIMIT_MIN = 1e-4;
const LIMIT_MAX = 0.98;

/**
 * Watches a candidate request by request and says when it is worse than stable, with a known chance of being wrong.
 * One judge lives as long as its rollout: ramps change the probabilities, not the evidence.
 */
export class CanaryJudge {
  /** May be replaced by a later step of the rollout; the evidence stays. */
  guard: JudgeGuard;
  readonly #errors = new ArmBet({ priorRate: PRIOR_ERROR_RATE });
  readonly #errorLimit = new LimitBet();
  readonly #latency = new ArmBet({ priorRate: 1 - LATENCY_QUANTILE });
  readonly #stableLatency = new LatencyHistogram();
  #stableSlowMs: number | null = null;
  #sinceQuantile = 0;
  #latencyBlockEndsMs = Number.NEGATIVE_INFINITY;
  #candidateRequests = 0;
  #candidateErrors = 0;
  #stableRequests = 0;
  #stableErrors = 0;
  #firstErrorAtMs: number | null = null;
  #firstSlowAtMs: number | null = null;
  #alarm: JudgeAlarm | null = null;

  /** `stableSoFar` is what the version that serves answered before this rollout; it is the reference once it is alone. */
  constructor(options: { guard: JudgeGuard; stableSoFar: { requests: number; errors: number } }) {
    this.guard = options.guard;
    this.#stableRequests = options.stableSoFar.requests;
    this.#stableErrors = options.stableSoFar.errors;
  }

  get alarm(): JudgeAlarm | null {
    return this.#alarm;
  }

  get evidence(): { errors: number; latency: number } {
    // The two error bets are active at different times, so their product is one bet that went on.
    return { errors: this.#errors.evidence * this.#errorLimit.evidence, latency: this.#latency.evidence };
  }

  /** All of the candidate's answers since the rollout began. */
  get candidateSoFar(): { requests: number; errors: number } {
    return { requests: this.#candidateRequests, errors: this.#candidateErrors };
  }

  get stableSoFar(): { requests: number; errors: number } {
    return { requests: this.#stableRequests, errors: this.#stableErrors };
  }

  get stableLatencyMs(): number | null {
    return this.#stableLatency.quantile(0.5);
  }

  get firstErrorAtMs(): number | null {
    return this.#firstErrorAtMs;
  }

  /** The rate of errors that is not tolerated when the candidate answers alone: stable's own plus the allowed excess. */
  get errorRateLimit(): number {
    const own = this.#stableRequests >= this.guard.requestsMin ? this.#stableErrors / this.#stableRequests : 0;
    return Math.min(LIMIT_MAX, Math.max(LIMIT_MIN, own + this.guard.errorRateExcessMax));
  }

  /** To be asked when a request is drawn, before its outcome can be known: whether its latency is the block's one. */
  sampleLatency(nowMs: number): boolean {
    if (nowMs < this.#latencyBlockEndsMs) return false;
    this.#latencyBlockEndsMs = nowMs + LATENCY_BLOCK_MS;
    return true;
  }

  /** Takes one answer in; the alarm it raises is returned once, by the request that raised it. */
  record(request: JudgedRequest): JudgeAlarm | null {
    if (request.candidate) this.#countCandidate(request);
    this.#errors.update({ candidate: request.candidate, probability: request.probability, bad: request.failed });
    if (request.candidate && request.probability >= 1) {
      this.#errorLimit.update({ bad: request.failed, limit: this.errorRateLimit });
    }
    if (!request.failed) this.#recordLatency(request);
    if (!request.candidate) {
      this.#stableRequests += 1;
      if (request.failed) this.#stableErrors += 1;
    }
    return this.#alarm === null ? this.#raise(request.atMs) : null;
  }

  #countCandidate(request: JudgedRequest): void {
    this.#candidateRequests += 1;
    if (!request.failed) return;
    this.#candidateErrors += 1;
    this.#firstErrorAtMs ??= request.atMs;
  }

  #recordLatency(request: JudgedRequest): void {
    const slowMs = this.#stableSlowMs;
    if (slowMs !== null && request.latencySampled) {
      const limitMs = request.candidate
        ? Math.max(slowMs * this.guard.latencyRatioMax, slowMs + LATENCY_FLOOR_MS)
        : slowMs;
      const bad = request.latencyMs > limitMs;
      if (bad && request.candidate) this.#firstSlowAtMs ??= request.atMs;
      this.#latency.update({ candidate: request.candidate, probability: request.probability, bad });
    }
    if (!request.candidate) this.#learnStableLatency(request.latencyMs);
  }

  #learnStableLatency(latencyMs: number): void {
    const stable = this.#stableLatency;
    stable.record(latencyMs);
    this.#sinceQuantile += 1;
    if (this.#sinceQuantile < QUANTILE_EVERY || stable.total < STABLE_LATENCIES_MIN) return;
    this.#sinceQuantile = 0;
    this.#stableSlowMs = stable.quantile(LATENCY_QUANTILE);
    if (stable.total > STABLE_LATENCIES_KEPT) stable.halve();
  }

  #raise(atMs: number): JudgeAlarm | null {
    const { errors, latency } = this.evidence;
    if (ERRORS_WEIGHT * errors + LATENCY_WEIGHT * latency < 1 / this.guard.alpha) return null;
    const metric = errors >= latency ? "errors" : "latency";
    this.#alarm = {
      metric,
      atMs,
      firstBadAtMs: metric === "errors" ? this.#firstErrorAtMs : this.#firstSlowAtMs,
      candidateRequests: this.#candidateRequests,
      candidateErrors: this.#candidateErrors,
      cause: metric === "errors" ? this.#errorsCause(errors) : this.#latencyCause(latency),
    };
    return this.#alarm;
  }

  #errorsCause(evidence: number): string {
    const stable = `${this.#stableErrors} of ${this.#stableRequests}`;
    const candidate = `${this.#candidateErrors} of ${this.#candidateRequests}`;
    return `the candidate failed ${candidate} requests, stable ${stable} (evidence ${short(evidence)})`;
  }

  #latencyCause(evidence: number): string {
    const slow = short(this.#stableSlowMs ?? 0);
    const margin = `${this.guard.latencyRatioMax} times and ${LATENCY_FLOOR_MS} ms`;
    return `the candidate's latencies exceed stable's 90th percentile of ${slow} ms by more than ${margin} too often (evidence ${short(evidence)})`;
  }
}

function short(value: number): string {
  return value >= 1000 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
