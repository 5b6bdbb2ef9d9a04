import type { MetricVerdict, Verdict } from "../verdict.ts";
import type { ArmWindow } from "./arm-window.ts";
import type { CanaryJudge } from "./canary-judge.ts";
import { LATENCY_FLOOR_MS } from "./latency-judge.ts";

/** How the candidate's replicas do. */
export interface CandidateHealth {
  wanted: number;
  healthy: number;
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
  const { judge, candidate, stable } = measured;
  const metrics = [healthMetric(measured), trafficMetric(measured)];
  if (stable !== null && stable.requests > 0 && measured.percent < 100) {
    metrics.push(concurrentErrorsMetric(judge, candidate, stable), concurrentLatencyMetric(judge, candidate, stable));
  } else if (candidate.requests > 0) {
    metrics.push(limitMetric(measured, "stable does not answer beside it"), latencyLimitMetric(judge, candidate));
  }
  return metrics;
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
  return { ...base, outcome: "pass", message: `${healthy} of ${wanted} replicas are healthy and answered a warm-up` };
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

function concurrentErrorsMetric(judge: CanaryJudge, candidate: ArmWindow, stable: ArmWindow): MetricVerdict {
  const alarm = judge.alarm;
  const excess = share(candidate) - share(stable);
  const limit = judge.guard.errorRateExcessMax;
  const base = { metric: "errors", observed: excess, limit } as const;
  if (alarm?.metric === "errors") return { ...base, outcome: "fail", message: alarm.cause };
  const counts = `candidate ${counted(candidate)}, stable ${counted(stable)}`;
  if (excess > limit)
    return {
      ...base,
      outcome: "inconclusive",
      message: `${counts}: ${percentText(excess)} more, above the limit of ${percentText(limit)}, and not proven`,
    };
  return {
    ...base,
    outcome: "pass",
    message: `${counts}: within the explicit limit of ${percentText(limit)} more, not proven`,
  };
}

function concurrentLatencyMetric(judge: CanaryJudge, candidate: ArmWindow, stable: ArmWindow): MetricVerdict {
  const alarm = judge.alarm;
  const own = candidate.latency.quantile(0.9);
  const reference = stable.latency.quantile(0.9);
  const ratio = own === null || reference === null ? null : own / reference;
  const base = { metric: "latency", observed: ratio, limit: judge.guard.latencyRatioMax } as const;
  if (alarm?.metric === "latency") return { ...base, outcome: "fail", message: alarm.cause };
  const evidence = Number(judge.evidence.latency.toPrecision(3));
  return {
    ...base,
    outcome: "pass",
    message: `90 % of answers within ${milliseconds(own)}, stable's within ${milliseconds(reference)}: no alarm (evidence ${evidence}), which is not a proof`,
  };
}

/** With nothing to compare with at the same time, only an explicit limit is left, and it is called that. */
function limitMetric({ judge, candidate }: Measured, why: string): MetricVerdict {
  const limit = judge.errorRateLimit;
  const observed = share(candidate);
  const base = { metric: "errors", observed, limit } as const;
  if (judge.alarm?.metric === "errors") return { ...base, outcome: "fail", message: judge.alarm.cause };
  const text = `${counted(candidate)} against an explicit limit of ${percentText(limit)} (${why})`;
  if (observed > limit) return { ...base, outcome: "inconclusive", message: `${text}: above it, not proven` };
  return { ...base, outcome: "pass", message: `${text}: within it, not proven` };
}

function latencyLimitMetric(judge: CanaryJudge, candidate: ArmWindow): MetricVerdict {
  const reference = judge.stableLatencyMs;
  const own = candidate.latency.quantile(0.5);
  const limit = judge.guard.latencyRatioMax;
  if (reference === null || own === null)
    return { metric: "latency", outcome: "pass", message: "stable's latency is not known", observed: null, limit };
  const base = { metric: "latency", observed: own / reference, limit } as const;
  const text = `median ${milliseconds(own)}, stable's was ${milliseconds(reference)}`;
  if (own > Math.max(reference * limit, reference + LATENCY_FLOOR_MS))
    return { ...base, outcome: "inconclusive", message: `${text}: above the explicit limit of ${limit} times` };
  return { ...base, outcome: "pass", message: `${text}: within the explicit limit of ${limit} times, not proven` };
}

function trippedMetric(tripped: NonNullable<Measured["tripped"]>): MetricVerdict {
  const message = `all traffic went back to stable: ${tripped.cause}`;
  return { metric: tripped.metric, outcome: "fail", message, observed: null, limit: null };
}

function share(arm: ArmWindow): number {
  return arm.requests === 0 ? 0 : arm.errors / arm.requests;
}

function counted(arm: ArmWindow): string {
  return `${arm.errors} of ${arm.requests} failed`;
}

function percentText(value: number): string {
  return `${Number((100 * value).toPrecision(3))} %`;
}

function milliseconds(value: number | null): string {
  return value === null ? "an unknown time" : `${Number(value.toPrecision(3))} ms`;
}
