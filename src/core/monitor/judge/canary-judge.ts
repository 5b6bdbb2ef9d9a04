import { AssignmentCheck } from "./assignment-check.ts";
import { ErrorJudge } from "./error-judge.ts";
import type { CanaryJudgeState, JudgeAlarm } from "./judge-state.ts";
import { type JudgedLatency, LATENCY_FLOOR_MS, LatencyJudge, latencyRatios } from "./latency-judge.ts";
import { LatencySampler } from "./latency-sampler.ts";
import { short } from "./verdict-text.ts";

export type { CanaryJudgeState, JudgeAlarm } from "./judge-state.ts";

/** What the judge may tolerate; the same numbers as the target's guard. */
export interface JudgeGuard {
  /** Most false alarms over a rollout's life, those of the monitor's part of the judge included. */
  alpha: number;
  requestsMin: number;
  errorRateExcessMax: number;
  latencyRatioMax: number;
  onHealthCheckFailure: boolean;
  /** `proof`: what is not proven does not pass. Default `limit`. */
  promoteOn?: "limit" | "proof" | undefined;
}

/** A request whose version was just drawn. */
export interface DrawnRequest {
  readonly candidate: boolean;
  /** With which the request went to the candidate. */
  readonly probability: number;
  /** By a clock that only goes forward. */
  readonly startedMs: number;
}

/** One answered request. A failover counts for the version that was drawn, and a time-out is a failure at the deadline. */
export interface JudgedRequest extends JudgedLatency {
  readonly failed: boolean;
  /** What `drawn` answered for the request. */
  readonly latencySampled: boolean;
  readonly atMs: number;
}

/**
 * How the chance of a false alarm is given out: the request-by-request evidence of errors and of latency, the exact walk
 * over the labels of errors, and the rest to the monitor, which judges predictions and delayed quality in a process of
 * its own. The weighted sum of evidence is evidence, under any dependence, and the parts add up to one.
 */
export const ERRORS_WEIGHT = 0.25;
export const LATENCY_WEIGHT = 0.25;
export const WALK_PART = 0.25;

const LIMIT_MIN = 1e-4;
const LIMIT_MAX = 0.98;

/**
 * Watches a candidate request by request and says when it is worse than stable, with a known chance of being wrong.
 * One judge lives as long as its rollout: ramps change the probabilities, not the evidence, and neither does a restart.
 */
export class CanaryJudge {
  #guard: JudgeGuard;
  #errors = new ErrorJudge();
  #latency = new LatencyJudge();
  #assignment = new AssignmentCheck();
  readonly #sampler = new LatencySampler();
  readonly #candidate = { requests: 0, errors: 0 };
  readonly #stable: { requests: number; errors: number };
  readonly #limits = { walkAlpha: 0, errorRateLimit: 0, errorRateExcessMax: 0 };
  #firstErrorAtMs: number | null = null;
  #alarm: JudgeAlarm | null = null;

  /** `stableSoFar` is what the version that serves answered before this rollout; it is the reference once it is alone. */
  constructor(options: { guard: JudgeGuard; stableSoFar: { requests: number; errors: number } }) {
    this.#guard = options.guard;
    this.#stable = { requests: options.stableSoFar.requests, errors: options.stableSoFar.errors };
  }

  get guard(): JudgeGuard {
    return this.#guard;
  }

  /** A later step of the rollout may bring another; the evidence stays. */
  set guard(guard: JudgeGuard) {
    this.#guard = guard;
  }

  get alarm(): JudgeAlarm | null {
    return this.#alarm;
  }

  /** Against "the candidate is no worse"; each starts at 1. */
  get evidence(): { errors: number; latency: number } {
    return { errors: this.#errors.evidence, latency: this.#latency.evidence };
  }

  /** What a metric's evidence has to reach on its own for an alarm. */
  get thresholds(): { errors: number; latency: number } {
    const { alpha } = this.#guard;
    return { errors: 1 / (alpha * ERRORS_WEIGHT), latency: 1 / (alpha * LATENCY_WEIGHT) };
  }

  get errors(): ErrorJudge {
    return this.#errors;
  }

  get latency(): LatencyJudge {
    return this.#latency;
  }

  get assignment(): AssignmentCheck {
    return this.#assignment;
  }

  /** All of the candidate's answers since the rollout began. */
  get candidateSoFar(): { requests: number; errors: number } {
    return { ...this.#candidate };
  }

  get stableSoFar(): { requests: number; errors: number } {
    return { ...this.#stable };
  }

  get stableLatencyMs(): number | null {
    return this.#latency.stableMedianMs;
  }

  get firstErrorAtMs(): number | null {
    return this.#firstErrorAtMs;
  }

  /** The rate of errors that is not tolerated when the candidate answers alone: stable's own plus the allowed excess. */
  get errorRateLimit(): number {
    const { requests, errors } = this.#stable;
    const own = requests >= Math.max(1, this.#guard.requestsMin) ? errors / requests : 0;
    return Math.min(LIMIT_MAX, Math.max(LIMIT_MIN, own + this.#guard.errorRateExcessMax));
  }

  /**
   * To be told of every request when its version is drawn, before its outcome can be known. Answers whether the
   * request's latency will be judged.
   */
  drawn(request: DrawnRequest): boolean {
    this.#assignment.drawn(request.candidate, request.probability);
    return this.#sampler.sample(request.startedMs);
  }

  /** An answer that says nothing about a version, because the fault is the caller's. */
  leftOut(request: { readonly candidate: boolean; readonly probability: number }): void {
    this.#assignment.answered(request.candidate, request.probability, true);
  }

  /**
   * Takes one answer in; the alarm it raises is returned once, by the request that raised it. Where the draw is not the
   * one that was meant, evidence means nothing and raises no alarm: the verdict says so instead.
   */
  record(request: JudgedRequest): JudgeAlarm | null {
    const { candidate, failed } = request;
    this.#assignment.answered(candidate, request.probability, false);
    const arm = candidate ? this.#candidate : this.#stable;
    const limits = this.#limits;
    limits.walkAlpha = WALK_PART * this.#guard.alpha;
    limits.errorRateExcessMax = this.#guard.errorRateExcessMax;
    if (request.probability >= 1) limits.errorRateLimit = this.errorRateLimit;
    this.#errors.update(request, limits);
    if (!failed) this.#latency.update(request, this.#guard.latencyRatioMax);
    arm.requests += 1;
    if (failed) arm.errors += 1;
    if (failed && candidate) this.#firstErrorAtMs ??= request.atMs;
    if (this.#alarm !== null || this.#assignment.drawIsBroken) return null;
    return this.#raise(request.atMs);
  }

  #raise(atMs: number): JudgeAlarm | null {
    const errors = this.#errors.evidence;
    const latency = this.#latency.evidence;
    const crossed = this.#errors.walk.crossed;
    if (!crossed && ERRORS_WEIGHT * errors + LATENCY_WEIGHT * latency < 1 / this.#guard.alpha) return null;
    const metric = crossed || errors >= latency ? "errors" : "latency";
    this.#alarm = {
      metric,
      atMs,
      firstBadAtMs: metric === "errors" ? this.#firstErrorAtMs : this.#latency.firstSlowAtMs,
      candidateRequests: this.#candidate.requests,
      candidateErrors: this.#candidate.errors,
      cause: metric === "errors" ? this.#errorsCause() : this.#latencyCause(),
    };
    return this.#alarm;
  }

  #errorsCause(): string {
    const { walk, evidence } = this.#errors;
    const stable = `${this.#stable.errors} of ${this.#stable.requests}`;
    const candidate = `${this.#candidate.errors} of ${this.#candidate.requests}`;
    const counts = `the candidate failed ${candidate} requests, stable ${stable}`;
    if (!walk.crossed) return `${counts} (evidence ${short(evidence)})`;
    return `${counts} (${walk.candidateEvents} of ${walk.events} failures are the candidate's, ${walk.boundary} are the exact boundary)`;
  }

  #latencyCause(): string {
    const { gross, fine, guard } = this.#latency.tiers;
    const slow = short(this.#latency.stableSlowMs ?? 0);
    const evidence = `(evidence ${short(this.#latency.evidence)})`;
    const { gross: grossRatio, lasting } = latencyRatios(this.#guard.latencyRatioMax);
    const floor = `${LATENCY_FLOOR_MS} ms`;
    return gross < Math.min(fine, guard)
      ? `the candidate's latencies have exceeded stable's by more than ${short(lasting)} times and ${floor} in most half minutes ${evidence}`
      : `the candidate's latencies exceed stable's 90th percentile of ${slow} ms by more than ${short(grossRatio)} times and ${floor} too often ${evidence}`;
  }

  toState(): CanaryJudgeState {
    return {
      version: 2,
      errors: this.#errors.toState(),
      latency: this.#latency.toState(),
      assignment: this.#assignment.toState(),
      candidate: { ...this.#candidate },
      stable: { ...this.#stable },
      firstErrorAtMs: this.#firstErrorAtMs,
      alarm: this.#alarm,
    };
  }

  /** Goes on where `toState` left off. Throws a RangeError when the state is none of this judge's. */
  static fromState(state: CanaryJudgeState, options: { guard: JudgeGuard }): CanaryJudge {
    const judge = new CanaryJudge({ guard: options.guard, stableSoFar: state.stable });
    judge.#errors = ErrorJudge.fromState(state.errors);
    judge.#latency = LatencyJudge.fromState(state.latency);
    judge.#assignment = AssignmentCheck.fromState(state.assignment);
    Object.assign(judge.#candidate, state.candidate);
    judge.#firstErrorAtMs = state.firstErrorAtMs;
    judge.#alarm = state.alarm;
    return judge;
  }
}
