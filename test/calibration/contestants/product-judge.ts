import { CanaryJudge } from "../../../src/core/monitor/judge/canary-judge.ts";
import { QUALITY_WEIGHT, QualityBet, type TruthedAnswer } from "../../../src/core/monitor/judge/quality-bet.ts";
import { PREDICTIONS_WEIGHT, ScoreBet } from "../../../src/core/monitor/judge/score-bet.ts";
import type { RolloutStream } from "../rollout-stream.ts";
import { HORIZON_MS, REQUESTS } from "../world.ts";
import { NEVER } from "./contestant.ts";

export const ALPHA = 0.01;
const GUARD = {
  alpha: ALPHA,
  requestsMin: 30,
  errorRateExcessMax: 0.01,
  latencyRatioMax: 1.5,
  onHealthCheckFailure: true,
} as const;
/** The monitor's process reads on, and scores what has reached the horizon, this often. */
const SCORED_EVERY_MS = 60_000;

/** After how many requests each half of the product would have rolled back; -1 when it never did. */
export interface ProductStops {
  errors: number;
  latency: number;
  scores: number;
  quality: number;
  /** Whichever came first. */
  any: number;
  /** The check of the draw failed at some time, which voids the verdict. */
  voided: boolean;
}

/**
 * The judge of the product itself, both halves with their parts of the chance of a false alarm: the router's, request
 * by request, and the monitor's with the bets on predictions and on delayed quality. A shift of predictions counts as a
 * rollback, which a plan has to ask for, so that the whole chance is spent.
 */
export function productStops(stream: RolloutStream): ProductStops {
  const router = routerStop(stream);
  const scores = scoresStop(stream);
  const quality = qualityStop(stream);
  return { ...router, scores, quality, any: first(router.errors, router.latency, scores, quality) };
}

function first(...stops: number[]): number {
  const found = stops.filter((stop) => stop !== NEVER);
  return found.length === 0 ? NEVER : Math.min(...found);
}

function routerStop(stream: RolloutStream): Pick<ProductStops, "errors" | "latency" | "voided"> {
  const judge = new CanaryJudge({ guard: GUARD, stableSoFar: { requests: 0, errors: 0 } });
  const request = {
    candidate: false,
    probability: 0,
    startedMs: 0,
    failed: false,
    latencyMs: 0,
    latencySampled: false,
    atMs: 0,
  };
  for (let n = 0; n < REQUESTS; n += 1) {
    request.candidate = stream.candidate[n] === 1;
    request.probability = stream.probability[n] ?? 0;
    request.startedMs = stream.atMs[n] ?? 0;
    request.latencySampled = judge.drawn(request);
    request.failed = stream.failed[n] === 1;
    request.latencyMs = stream.latencyMs[n] ?? 0;
    request.atMs = request.startedMs;
    const alarm = judge.record(request);
    if (alarm === null) continue;
    const voided = judge.assignment.drawIsBroken;
    return alarm.metric === "errors"
      ? { errors: n + 1, latency: NEVER, voided }
      : { errors: NEVER, latency: n + 1, voided };
  }
  return { errors: NEVER, latency: NEVER, voided: judge.assignment.drawIsBroken };
}

function scoresStop(stream: RolloutStream): number {
  const bet = new ScoreBet({ direction: "any" });
  const answer = { candidate: false, probability: 0, score: 0 };
  for (let n = 0; n < REQUESTS; n += 1) {
    answer.candidate = stream.candidate[n] === 1;
    answer.probability = stream.probability[n] ?? 0;
    answer.score = stream.score[n] ?? 0;
    bet.update(answer);
    if (bet.evidence * PREDICTIONS_WEIGHT >= 1 / ALPHA) return n + 1;
  }
  return NEVER;
}

/** Looks when the monitor does, so the stop is what had been asked for until then. */
function qualityStop(stream: RolloutStream): number {
  const bet = new QualityBet({ kind: "classes" });
  let waiting = 0;
  let lookMs = SCORED_EVERY_MS;
  for (let n = 0; n < REQUESTS; n += 1) {
    const atMs = stream.atMs[n] ?? 0;
    for (; atMs >= lookMs; lookMs += SCORED_EVERY_MS) {
      const toMs = lookMs - HORIZON_MS;
      const answers: TruthedAnswer[] = [];
      for (; (stream.atMs[waiting] ?? 0) <= toMs; waiting += 1) answers.push(answerOf(stream, waiting));
      bet.score({ toMs, answers });
      if (!bet.coverageDiffers && bet.evidence * QUALITY_WEIGHT >= 1 / ALPHA) return n;
    }
  }
  return NEVER;
}

function answerOf(stream: RolloutStream, n: number): TruthedAnswer {
  const truth = stream.truth[n] ?? 2;
  return {
    candidate: stream.candidate[n] === 1,
    probability: stream.probability[n] ?? 0,
    requestedAtMs: stream.atMs[n] ?? 0,
    loss: truth === 2 ? null : truth,
  };
}
