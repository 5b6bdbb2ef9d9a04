import type { MetricFigures, MetricVerdict, Verdict } from "../verdict.ts";
import type { ArmWindow } from "./arm-window.ts";
import type { CanaryJudge } from "./canary-judge.ts";
import { comparedErrors, comparedLatency, isSlow, PROOF_THRESHOLD, unproven } from "./compared-metrics.ts";
import { counted, milliseconds, percentText, shareOf, short } from "./verdict-text.ts";

/** How the candidate's replicas do. */
export interface CandidateHealth {
  wanted: number;
  healthy: number;
  /** Replicas of the version that serves; null where none does. */
  stableWanted: number | null;
  /** Set when the supervisor gave the candidate up, e.g. after too many restarts. */
  failure: string | null;
}

export interface Measured {
  judge: CanaryJudge;
  candidate: ArmWindow;
  /** Absent for an endpoint's first version, which nothing can be compared with. */
  stable: ArmWindow | null;
  percent: number;
  health: CandidateHealth;
  /** Why the data plane already sent all traffic back to stable. */
  tripped: { metric: MetricVerdict["metric"]; cause: string } | null;
}

/** From so many replicas on, one that is slow or failing no longer looks like its version. */
const REPLICAS_FOR_GUARD = 4;
const WORST_FIRST = ["fail", "error", "inconclusive", "pass"] as const;

/** What the measurements say now. One failing metric fails the candidate; it passes only when every metric does. */
export function canaryVerdict(measured: Measured): Verdict {
  const metrics = measured.stable === null ? firstVersionMetrics(measured) : comparedMetrics(measured);
  if (measured.tripped !== null) metrics.push(trippedMetric(measured.tripped));
  metrics.sort((a, b) => WORST_FIRST.indexOf(a.outcome) - WORST_FIRST.indexOf(b.outcome));
  return { outcome: metrics[0]?.outcome ?? "error", metrics };
}

/**
 * A first version passes on health and on the warm-up each replica answered before it was called healthy. Errors can
 * only fail it: answering nothing but errors is no pass, and having had no requests is no fault.
 */
function firstVersionMetrics(measured: Measured): MetricVerdict[] {
  const metrics = [healthMetric(measured)];
  if (measured.candidate.requests > 0) metrics.push(limitMetric(measured, "no version served before this one"));
  return metrics;
}

function comparedMetrics(measured: Measured): MetricVerdict[] {
  const { judge, candidate, stable, percent } = measured;
  const metrics = [healthMetric(measured), trafficMetric(measured), assignmentMetric(judge)];
  if (stable !== null && stable.requests > 0 && percent < 100) {
    const compared = { judge, candidate, stable, probability: percent / 100 };
    metrics.push(comparedErrors(compared), comparedLatency(compared));
  } else if (candidate.requests > 0) {
    metrics.push(limitMetric(measured, "stable does not answer beside it"), latencyLimitMetric(judge, candidate));
  }
  return metrics;
}

/** Voids what was judged where the versions were not compared as they were meant to be; nobody is to blame for it. */
function assignmentMetric({ assignment }: CanaryJudge): MetricVerdict {
  const { draws, leftOut, drawEvidence, leftOutEvidence, threshold } = assignment;
  const observed = draws.total === 0 ? null : draws.candidate / draws.total;
  const limit = draws.total === 0 ? null : draws.expected / draws.total;
  const base = { metric: "assignment", observed, limit } as const;
  const drawn = `${draws.candidate} of ${draws.total} requests were drawn for the candidate, ${Math.round(draws.expected)} were expected`;
  if (drawEvidence >= threshold) {
    const message = `${drawn}: the draw is not random, so nothing can be said of the versions (evidence ${short(drawEvidence)})`;
    return { ...base, outcome: "error", message };
  }
  if (leftOutEvidence >= threshold) {
    const message = `${leftOut.candidate} of the candidate's answers and ${leftOut.stable} of stable's blame the caller and are not judged: what is left cannot be compared (evidence ${short(leftOutEvidence)})`;
    return { ...base, outcome: "error", message };
  }
  return { ...base, outcome: "pass", message: drawn };
}

function healthMetric({ health, judge }: Measured): MetricVerdict {
  const { wanted, healthy, failure } = health;
  const base = { metric: "health", observed: healthy, limit: wanted } as const;
  if (failure !== null) {
    const outcome = judge.guard.onHealthCheckFailure ? "fail" : "inconclusive";
    return { ...base, outcome, message: failure };
  }
  if (healthy < wanted)
    return { ...base, outcome: "inconclusive", message: `${healthy} of ${wanted} replicas are healthy` };
  const message = `${healthy} of ${wanted} replicas are healthy and answered a warm-up${guardNote(health)}`;
  return { ...base, outcome: "pass", message };
}

/** What the comparison cannot tell apart is said with it. */
function guardNote({ wanted, stableWanted }: CandidateHealth): string {
  if (stableWanted === null || wanted >= REPLICAS_FOR_GUARD) return "";
  return ` (stable has ${stableWanted}); with fewer than ${REPLICAS_FOR_GUARD} a replica's own trouble can pass for the version's`;
}

function trafficMetric({ judge, candidate, percent }: Measured): MetricVerdict {
  const limit = judge.guard.requestsMin;
  const base = { metric: "traffic", observed: candidate.requests, limit } as const;
  if (percent <= 0) return { ...base, outcome: "inconclusive", message: "the candidate receives no traffic" };
  if (candidate.requests < limit || candidate.requests === 0)
    return {
      ...base,
      outcome: "inconclusive",
      message: `the candidate answered ${candidate.requests} requests, ${Math.max(1, limit)} are needed for a verdict`,
    };
  return { ...base, outcome: "pass", message: `the candidate answered ${candidate.requests} requests` };
}

/** With nothing to compare with at the same time, only an explicit limit is left, and it is called that. */
function limitMetric({ judge, candidate, stable }: Measured, why: string): MetricVerdict {
  const limit = judge.errorRateLimit;
  const observed = shareOf(candidate);
  const base = { metric: "errors", observed, limit, figures: limitFigures(judge, candidate) } as const;
  if (judge.alarm?.metric === "errors") return { ...base, outcome: "fail", message: judge.alarm.cause };
  const text = `${counted(candidate)} against an explicit limit of ${percentText(limit)} (${why})`;
  if (observed > limit) return { ...base, outcome: "inconclusive", message: `${text}: above it, not proven` };
  if (stable !== null && judge.errors.proof >= PROOF_THRESHOLD)
    return { ...base, outcome: "pass", message: `${text}: within it, and proven while stable answered beside it` };
  const metric = { ...base, message: `${text}: within it, not proven` };
  return stable === null ? { ...metric, outcome: "pass" } : unproven(judge, metric);
}

/** Stable's answers are those before and beside the candidate, so that no interval of a difference can be given. */
function limitFigures(judge: CanaryJudge, candidate: ArmWindow): MetricFigures {
  const { requests, errors } = judge.stableSoFar;
  return {
    candidate: { samples: candidate.requests, estimate: candidate.requests === 0 ? null : shareOf(candidate) },
    stable: { samples: requests, estimate: requests === 0 ? null : errors / requests },
    unit: "share of failed requests",
    interval: null,
    margin: judge.guard.errorRateExcessMax,
    evidence: judge.evidence.errors,
    threshold: judge.thresholds.errors,
    proof: null,
    moreRequests: null,
  };
}

function latencyLimitMetric(judge: CanaryJudge, candidate: ArmWindow): MetricVerdict {
  const reference = judge.stableLatencyMs;
  const own = candidate.latency.quantile(0.5);
  const limit = judge.guard.latencyRatioMax;
  const { alarm } = judge;
  if (alarm?.metric === "latency")
    return { metric: "latency", outcome: "fail", message: alarm.cause, observed: null, limit };
  if (reference === null || own === null)
    return unproven(judge, { metric: "latency", message: "stable's latency is not known", observed: null, limit });
  const base = { metric: "latency", observed: own / reference, limit } as const;
  const text = `median ${milliseconds(own)}, stable's was ${milliseconds(reference)}`;
  if (isSlow({ own, reference, limit }))
    return { ...base, outcome: "inconclusive", message: `${text}: above the explicit limit of ${limit} times` };
  if (judge.latency.proof >= PROOF_THRESHOLD)
    return { ...base, outcome: "pass", message: `${text}, and less was proven while stable answered beside it` };
  return unproven(judge, { ...base, message: `${text}: within the explicit limit of ${limit} times, not proven` });
}

function trippedMetric(tripped: NonNullable<Measured["tripped"]>): MetricVerdict {
  const message = `all traffic went back to stable: ${tripped.cause}`;
  return { metric: tripped.metric, outcome: "fail", message, observed: null, limit: null };
}
