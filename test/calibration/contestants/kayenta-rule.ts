import type { ArmMinutes } from "../minutes.ts";
import { type Metric, NEVER, type Rule } from "./contestant.ts";

/**
 * The way of Kayenta's NetflixACAJudge-v1.0 with one metric (spinnaker/kayenta, `NetflixACAJudge.scala` and
 * `MannWhitneyClassifier.scala`), restated: each arm is a series of one value a minute (here the share of errors, or
 * the mean latency); values farther than three interquartile ranges from the quartiles are dropped; the 98 % interval
 * of the Hodges-Lehmann shift, from a Mann-Whitney test, must lie above a quarter of the shift's own estimate for the
 * metric to count as "High", which fails a canary with that metric. The interval is the usual one, between order
 * statistics of the pairwise differences. Judged every ten minutes on all minutes so far, as its schedule would have it.
 */
const TOLERANCE = 0.25;
/** Two-sided 98 %. */
const Z = 2.326348;
const FENCE = 3;
const EVERY_MINUTES = 10;

export function kayentaRule(metric: Metric): Rule {
  return ({ minutes }) => {
    for (let upTo = EVERY_MINUTES; upTo <= minutes.count; upTo += EVERY_MINUTES) {
      const candidate = series(minutes.candidate, metric, upTo);
      const stable = series(minutes.stable, metric, upTo);
      if (isHigh(candidate, stable)) return minutes.soFar[upTo - 1] ?? 0;
    }
    return NEVER;
  };
}

function series(arm: ArmMinutes, metric: Metric, upTo: number): Float64Array {
  const values: number[] = [];
  for (let minute = 0; minute < upTo; minute += 1) {
    const requests = arm.requests[minute] ?? 0;
    const sum = (metric === "errors" ? arm.errors[minute] : arm.latencySum[minute]) ?? 0;
    if (requests > 0) values.push(sum / requests);
  }
  const sorted = Float64Array.from(values).sort();
  const low = quantile(sorted, 0.25);
  const high = quantile(sorted, 0.75);
  const fence = FENCE * (high - low);
  return sorted.filter((value) => value >= low - fence && value <= high + fence);
}

function isHigh(candidate: Float64Array, stable: Float64Array): boolean {
  const m = candidate.length;
  const n = stable.length;
  if (m === 0 || n === 0) return false;
  const differences = new Float64Array(m * n);
  for (let i = 0; i < m; i += 1) {
    for (let j = 0; j < n; j += 1) differences[i * n + j] = (candidate[i] ?? 0) - (stable[j] ?? 0);
  }
  differences.sort();
  const below = Math.floor((m * n) / 2 - Z * Math.sqrt((m * n * (m + n + 1)) / 12));
  const lower = below < 0 ? Number.NEGATIVE_INFINITY : (differences[below] ?? 0);
  return lower > TOLERANCE * Math.abs(quantile(differences, 0.5));
}

function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? 0;
  return below + (at - Math.floor(at)) * ((sorted[Math.ceil(at)] ?? 0) - below);
}
