import { ArmBet, BETTER_ODDS } from "./arm-bet.ts";
import { BlockGuard } from "./block-guard.ts";
import type { LatencyState } from "./judge-state.ts";
import { LatencyHistogram } from "./latency-histogram.ts";

export const LATENCY_QUANTILE = 0.9;
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
/** Lasting slowness is told from this part of the allowed excess on: from 1.1 times where answers may take 1.5 times. */
const LASTING_PART = 0.2;
const PRIOR_SLOW_RATE = 1 - LATENCY_QUANTILE;
const LATENCY_MS_MIN = 0.01;
/** The gross tier begins at twice the allowed excess: at 2 times where answers may take 1.5 times. */
const GROSS_PART = 2;
const GROSS_ODDS = [4, 12, 40] as const;

export interface JudgedLatency {
  readonly candidate: boolean;
  readonly probability: number;
  readonly latencyMs: number;
  readonly latencySampled: boolean;
  readonly atMs: number;
}

/**
 * All that is known about the candidate's latency. Two tiers share its evidence evenly. The gross one bets, request by
 * request, that more of the candidate's answers are above twice the allowed excess over stable's 90th percentile than of
 * stable's are above the percentile itself; it finds a candidate that hangs within seconds. The fine one does so from a
 * fifth of the allowed excess on, where a replica's bad minute could be taken for the version's, so it counts only as
 * far as the block guard agrees, which takes half a minute for one observation.
 */
export class LatencyJudge {
  #gross = new ArmBet({ priorRate: PRIOR_SLOW_RATE, odds: GROSS_ODDS });
  #fine = new ArmBet({ priorRate: PRIOR_SLOW_RATE });
  #proof = new ArmBet({ priorRate: PRIOR_SLOW_RATE, odds: BETTER_ODDS });
  #guard = new BlockGuard();
  #stable = new LatencyHistogram();
  #slowMs: number | null = null;
  #sinceQuantile = 0;
  readonly #slow = { candidate: 0, candidateSeen: 0, stable: 0, stableSeen: 0 };
  #firstSlowAtMs: number | null = null;

  /** Against "the candidate is no slower". */
  get evidence(): number {
    return (this.#gross.evidence + Math.min(this.#fine.evidence, this.#guard.evidence)) / 2;
  }

  get tiers(): { gross: number; fine: number; guard: number } {
    return { gross: this.#gross.evidence, fine: this.#fine.evidence, guard: this.#guard.evidence };
  }

  /** Against "the candidate is slower than stable by `latencyRatioMax` or more". */
  get proof(): number {
    return this.#proof.evidence;
  }

  /** How many of the judged answers were above the limit: `latencyRatioMax` times for the candidate, 1 for stable. */
  get slow(): Readonly<LatencyState["slow"]> {
    return this.#slow;
  }

  /** Stable's 90th percentile as the newest bet took it; null before it is known. */
  get stableSlowMs(): number | null {
    return this.#slowMs;
  }

  get stableMedianMs(): number | null {
    return this.#stable.quantile(0.5);
  }

  get firstSlowAtMs(): number | null {
    return this.#firstSlowAtMs;
  }

  /** One answer that did not fail. */
  update(answer: JudgedLatency, ratioMax: number): void {
    const { candidate, probability, latencyMs } = answer;
    const slowMs = this.#slowMs;
    if (slowMs !== null && answer.latencySampled) this.#bet(answer, { slowMs, ratioMax });
    if (slowMs !== null && probability > 0 && probability < 1) {
      const own = candidate ? latencyMs / ratioWithFloor(excessRatio(ratioMax, LASTING_PART), slowMs) : latencyMs;
      this.#guard.update(candidate, Math.log(Math.max(LATENCY_MS_MIN, own)), answer.atMs);
    }
    if (!candidate) this.#learn(latencyMs);
  }

  #bet(answer: JudgedLatency, limits: { slowMs: number; ratioMax: number }): void {
    const { candidate, probability, latencyMs } = answer;
    const own = candidate ? withoutMargin(latencyMs, limits.ratioMax) : latencyMs;
    const bad = own > limits.slowMs;
    const fine = candidate ? withoutMargin(latencyMs, excessRatio(limits.ratioMax, LASTING_PART)) : latencyMs;
    const gross = candidate ? withoutMargin(latencyMs, excessRatio(limits.ratioMax, GROSS_PART)) : latencyMs;
    this.#gross.update(candidate, probability, gross > limits.slowMs);
    this.#proof.update(candidate, probability, bad);
    this.#fine.update(candidate, probability, fine > limits.slowMs);
    const slow = this.#slow;
    if (candidate) {
      slow.candidateSeen += 1;
      if (bad) slow.candidate += 1;
      if (fine > limits.slowMs) this.#firstSlowAtMs ??= answer.atMs;
    } else {
      slow.stableSeen += 1;
      if (bad) slow.stable += 1;
    }
  }

  #learn(latencyMs: number): void {
    const stable = this.#stable;
    stable.record(latencyMs);
    this.#sinceQuantile += 1;
    const due = this.#slowMs === null || this.#sinceQuantile >= QUANTILE_EVERY;
    if (!due || stable.total < STABLE_LATENCIES_MIN) return;
    this.#sinceQuantile = 0;
    this.#slowMs = stable.quantile(LATENCY_QUANTILE);
    if (stable.total > STABLE_LATENCIES_KEPT) stable.halve();
  }

  /** See `ArmBet.growth`, of the proof. */
  proofGrowth(shares: { candidate: number; stable: number; probability: number }): number {
    return this.#proof.growth(shares);
  }

  toState(): LatencyState {
    return {
      gross: this.#gross.toState(),
      fine: this.#fine.toState(),
      proof: this.#proof.toState(),
      guard: this.#guard.toState(),
      stable: this.#stable.toState(),
      slowMs: this.#slowMs,
      sinceQuantile: this.#sinceQuantile,
      slow: { ...this.#slow },
      firstSlowAtMs: this.#firstSlowAtMs,
    };
  }

  static fromState(state: LatencyState): LatencyJudge {
    const judge = new LatencyJudge();
    judge.#gross = ArmBet.fromState(state.gross, { priorRate: PRIOR_SLOW_RATE, odds: GROSS_ODDS });
    judge.#fine = ArmBet.fromState(state.fine, { priorRate: PRIOR_SLOW_RATE });
    judge.#proof = ArmBet.fromState(state.proof, { priorRate: PRIOR_SLOW_RATE, odds: BETTER_ODDS });
    judge.#guard = BlockGuard.fromState(state.guard);
    judge.#stable = LatencyHistogram.fromState(state.stable);
    judge.#slowMs = state.slowMs;
    judge.#sinceQuantile = state.sinceQuantile;
    Object.assign(judge.#slow, state.slow);
    judge.#firstSlowAtMs = state.firstSlowAtMs;
    return judge;
  }
}

/** What the candidate's latency counts for: without the allowed ratio, and without the floor; the lesser of both. */
function withoutMargin(latencyMs: number, ratio: number): number {
  return Math.min(latencyMs / ratio, latencyMs - LATENCY_FLOOR_MS);
}

/** The floor as a ratio, for what compares means and has no percentile to add it to. */
function ratioWithFloor(ratio: number, slowMs: number): number {
  return Math.max(ratio, 1 + LATENCY_FLOOR_MS / slowMs);
}

/** From which ratio on each tier finds a candidate slow. */
export function latencyRatios(ratioMax: number): { gross: number; lasting: number } {
  return { gross: excessRatio(ratioMax, GROSS_PART), lasting: excessRatio(ratioMax, LASTING_PART) };
}

/** A part, or a multiple, of what the allowed ratio is above 1. */
function excessRatio(ratioMax: number, part: number): number {
  return 1 + part * (ratioMax - 1);
}
