import type { RolloutStream } from "../rollout-stream.ts";
import { LATENCY_DEVIATION, LATENCY_MEDIAN_MS, REQUESTS, type World, WRONG_RATE } from "../world.ts";
import { type Metric, NEVER, type Rule } from "./contestant.ts";

const THRESHOLD = 100;
const CANDIDATE_MIN = 30;
/** The effect for which the mixture is made: one point of errors, a tenth of log latency. */
const MIXTURE = { errors: 0.01, latency: 0.1 } as const;

/**
 * The mixture sequential probability ratio test of two means as experimentation platforms use it (Robbins 1970; Johari,
 * Koomen, Pekelis & Walsh, "Always Valid Inference", 2022): `sqrt(v / (v + τ²)) exp(τ² d² / (2 v (v + τ²)))` with the
 * difference of means d and its estimated variance v, looked at with each request, and on a worse candidate alone.
 */
export function mixtureSprt(metric: Metric): Rule {
  return ({ stream }) => {
    const tau2 = MIXTURE[metric] ** 2;
    const n = new Float64Array(2);
    const sum = new Float64Array(2);
    const squares = new Float64Array(2);
    for (let at = 0; at < REQUESTS; at += 1) {
      const arm = stream.candidate[at] ?? 0;
      const value = metric === "errors" ? (stream.failed[at] ?? 0) : Math.log(stream.latencyMs[at] ?? 1);
      n[arm] = (n[arm] ?? 0) + 1;
      sum[arm] = (sum[arm] ?? 0) + value;
      squares[arm] = (squares[arm] ?? 0) + value * value;
      if (arm === 1 && isDecided({ n, sum, squares, tau2 })) return at + 1;
    }
    return NEVER;
  };
}

function isDecided(of: { n: Float64Array; sum: Float64Array; squares: Float64Array; tau2: number }): boolean {
  const [stableN = 0, candidateN = 0] = of.n;
  if (candidateN < CANDIDATE_MIN || stableN < CANDIDATE_MIN) return false;
  const stable = (of.sum[0] ?? 0) / stableN;
  const candidate = (of.sum[1] ?? 0) / candidateN;
  if (candidate <= stable) return false;
  // Pooled, as for the null: an arm without an error yet is no arm without variance.
  const all = stableN + candidateN;
  const mean = ((of.sum[0] ?? 0) + (of.sum[1] ?? 0)) / all;
  const variance = ((of.squares[0] ?? 0) + (of.squares[1] ?? 0)) / all - mean * mean;
  const v = variance * (1 / stableN + 1 / candidateN);
  if (v <= 0) return false;
  const log = 0.5 * Math.log(v / (v + of.tau2)) + (of.tau2 * (candidate - stable) ** 2) / (2 * v * (v + of.tau2));
  return log >= Math.log(THRESHOLD);
}

/**
 * Wald's sequential probability ratio test by somebody who knows stable's distribution and the effect exactly, which
 * nobody does: the bound that no rule can beat by much.
 */
export function oracle(metric: "errors" | "latency" | "scores" | "quality"): Rule {
  return ({ stream, world }) => {
    const term = LOG_RATIOS[metric];
    let log = 0;
    for (let at = 0; at < REQUESTS; at += 1) {
      if (stream.candidate[at] !== 1) continue;
      log += term(stream, at, world);
      if (log >= Math.log(THRESHOLD)) return at + 1;
    }
    return NEVER;
  };
}

type LogRatio = (stream: RolloutStream, at: number, world: World) => number;

const LOG_RATIOS: Record<"errors" | "latency" | "scores" | "quality", LogRatio> = {
  errors: (stream, at, { errorRate: [usual], effect }) =>
    ofBinary(stream.failed[at] === 1, usual, effect.errorRate ?? usual),
  latency: (stream, at, { effect }) => {
    const shift = Math.log(effect.latencyTimes ?? 1) / LATENCY_DEVIATION;
    const z = Math.log((stream.latencyMs[at] ?? 1) / LATENCY_MEDIAN_MS) / LATENCY_DEVIATION;
    return shift * z - (shift * shift) / 2;
  },
  scores: (stream, at, { effect }) => {
    const stretch = effect.scoreStretch ?? 1;
    const shift = effect.scoreShift ?? 0;
    const score = stream.score[at] ?? 0;
    return (score * score - ((score - shift) / stretch) ** 2) / 2 - Math.log(stretch);
  },
  quality: (stream, at, { effect }) => {
    const truth = stream.truth[at];
    return truth === 2 ? 0 : ofBinary(truth === 1, WRONG_RATE, effect.wrongRate ?? WRONG_RATE);
  },
};

function ofBinary(bad: boolean, usual: number, worse: number): number {
  return bad ? Math.log(worse / usual) : Math.log((1 - worse) / (1 - usual));
}
