import type { MetricFigures, MetricVerdict } from "../verdict.ts";
import type { ArmWindow } from "./arm-window.ts";
import type { CanaryJudge } from "./canary-judge.ts";
import { LATENCY_FLOOR_MS, LATENCY_QUANTILE } from "./latency-judge.ts";
import { differenceInterval, rankInterval } from "./rate-interval.ts";
import { counted, milliseconds, percentText, shareOf, short } from "./verdict-text.ts";

/** Non-inferiority is proven at 5 % for each metric; that every metric must pass needs no correction (arXiv 2402.11609). */
export const PROOF_THRESHOLD = 20;
const INTERVAL_ALPHA = 0.05;

/** Both arms while they answer beside each other, since the weights were set. */
export interface Compared {
  judge: CanaryJudge;
  candidate: ArmWindow;
  stable: ArmWindow;
  /** With which a request goes to the candidate now. */
  probability: number;
}

export function comparedErrors(compared: Compared): MetricVerdict {
  const { judge, candidate, stable } = compared;
  const limit = judge.guard.errorRateExcessMax;
  const excess = shareOf(candidate) - shareOf(stable);
  const base = { metric: "errors", observed: excess, limit, figures: errorFigures(compared) } as const;
  const { alarm } = judge;
  if (alarm?.metric === "errors") return { ...base, outcome: "fail", message: alarm.cause };
  const counts = `candidate ${counted(candidate)}, stable ${counted(stable)}`;
  if (excess > limit)
    return {
      ...base,
      outcome: "inconclusive",
      message: `${counts}: ${percentText(excess)} more, above the limit of ${percentText(limit)}, and not proven`,
    };
  if (judge.errors.proof >= PROOF_THRESHOLD)
    return {
      ...base,
      outcome: "pass",
      message: `${counts}: less than ${percentText(limit)} more is proven (evidence ${short(judge.errors.proof)})`,
    };
  const message = `${counts}: within the explicit limit of ${percentText(limit)} more, not proven`;
  return unproven(judge, { ...base, message });
}

export function comparedLatency(compared: Compared): MetricVerdict {
  const { judge, candidate, stable } = compared;
  const own = candidate.latency.quantile(LATENCY_QUANTILE);
  const reference = stable.latency.quantile(LATENCY_QUANTILE);
  const limit = judge.guard.latencyRatioMax;
  const observed = own === null || reference === null ? null : own / reference;
  const figures = latencyFigures(compared);
  const base = { metric: "latency", observed, limit, figures } as const;
  const { alarm } = judge;
  if (alarm?.metric === "latency") return { ...base, outcome: "fail", message: alarm.cause };
  const text = `90 % of answers within ${milliseconds(own)}, stable's within ${milliseconds(reference)}`;
  const slow = own !== null && reference !== null && isSlow({ own, reference, limit });
  // One replica's busy minute makes many slow answers, and an interval takes each for news; the evidence does not.
  if (slow && (figures.interval?.low ?? 0) > 1 && judge.evidence.latency > 1)
    return { ...base, outcome: "inconclusive", message: `${text}: above the limit of ${limit} times, and not proven` };
  if (judge.latency.proof >= PROOF_THRESHOLD) {
    const evidence = short(judge.latency.proof);
    const message = `${text}: less than ${limit} times or ${LATENCY_FLOOR_MS} ms more is proven (evidence ${evidence})`;
    return { ...base, outcome: "pass", message };
  }
  const evidence = short(judge.evidence.latency);
  return unproven(judge, { ...base, message: `${text}: no alarm (evidence ${evidence}), which is not a proof` });
}

/** Slower by the ratio and by the floor. */
export function isSlow({ own, reference, limit }: { own: number; reference: number; limit: number }): boolean {
  return own > Math.max(reference * limit, reference + LATENCY_FLOOR_MS);
}

/** What nothing speaks against and nothing proves: whether that is enough is the plan's choice. */
export function unproven(judge: CanaryJudge, metric: Omit<MetricVerdict, "outcome">): MetricVerdict {
  if (judge.guard.promoteOn !== "proof") return { ...metric, outcome: "pass" };
  const more = metric.figures?.moreRequests ?? null;
  const wait = more === null ? "" : `, which about ${more} more requests could give`;
  return { ...metric, outcome: "inconclusive", message: `${metric.message}; the plan asks for a proof${wait}` };
}

function errorFigures({ judge, candidate, stable, probability }: Compared): MetricFigures {
  const arms = {
    candidate: { bad: candidate.errors, seen: candidate.requests },
    stable: { bad: stable.errors, seen: stable.requests },
  };
  const margin = judge.guard.errorRateExcessMax;
  const proof = judge.errors.proof;
  const growth = judge.errors.proofGrowth(
    { candidate: shareOf(candidate), stable: shareOf(stable), probability },
    margin,
  );
  return {
    candidate: { samples: candidate.requests, estimate: estimateOf(candidate) },
    stable: { samples: stable.requests, estimate: estimateOf(stable) },
    unit: "share of failed requests",
    interval: { of: "difference", ...differenceInterval(arms, INTERVAL_ALPHA), confidence: 1 - INTERVAL_ALPHA },
    margin,
    evidence: judge.evidence.errors,
    threshold: judge.thresholds.errors,
    proof: { evidence: proof, threshold: PROOF_THRESHOLD },
    moreRequests: moreRequests(proof, growth),
  };
}

function latencyFigures({ judge, candidate, stable, probability }: Compared): MetricFigures {
  const { slow, proof } = judge.latency;
  const judged = slow.candidateSeen + slow.stableSeen;
  const growth = judge.latency.proofGrowth({
    candidate: slow.candidateSeen === 0 ? 1 : slow.candidate / slow.candidateSeen,
    stable: slow.stableSeen === 0 ? 0 : slow.stable / slow.stableSeen,
    probability,
  });
  // Under load not every latency is judged, and stable's first ones only set the yardstick.
  const judgedShare = judged / Math.max(judged, judge.assignment.draws.total, 1);
  return {
    candidate: { samples: candidate.latency.total, estimate: candidate.latency.quantile(LATENCY_QUANTILE) },
    stable: { samples: stable.latency.total, estimate: stable.latency.quantile(LATENCY_QUANTILE) },
    unit: "90th percentile in ms",
    interval: latencyInterval(candidate, stable),
    margin: judge.guard.latencyRatioMax,
    evidence: judge.evidence.latency,
    threshold: judge.thresholds.latency,
    proof: { evidence: proof, threshold: PROOF_THRESHOLD },
    moreRequests: moreRequests(proof, growth * judgedShare),
  };
}

function latencyInterval(candidate: ArmWindow, stable: ArmWindow): MetricFigures["interval"] {
  const own = quantileInterval(candidate);
  const reference = quantileInterval(stable);
  if (own === null || reference === null) return null;
  const low = own.low / reference.high;
  return { of: "ratio", low, high: own.high / reference.low, confidence: 1 - INTERVAL_ALPHA };
}

function quantileInterval({ latency }: ArmWindow): { low: number; high: number } | null {
  const ranks = rankInterval({ level: LATENCY_QUANTILE, seen: latency.total }, INTERVAL_ALPHA / 2);
  const low = ranks === null ? null : latency.quantile(ranks.low);
  const high = ranks === null ? null : latency.quantile(ranks.high);
  return low === null || high === null ? null : { low, high };
}

function estimateOf(arm: ArmWindow): number | null {
  return arm.requests === 0 ? null : arm.errors / arm.requests;
}

/** Until the proof's evidence is enough, at this growth of its log a request; null where it does not grow. */
function moreRequests(evidence: number, growth: number): number | null {
  if (evidence >= PROOF_THRESHOLD) return 0;
  if (!(growth > 0)) return null;
  return Math.ceil(Math.log(PROOF_THRESHOLD / evidence) / growth);
}
