import { canaryVerdict } from "../core/monitor/judge/canary-verdict.ts";
import type { MetricVerdict, Verdict } from "../core/monitor/verdict.ts";
import type { Endpoint, Variant } from "./endpoint.ts";
import type { ControlAnswer } from "./protocol.ts";

type Stats = NonNullable<ControlAnswer<"observe">["stable"]>;

function variantStats(variant: Variant): Stats {
  return {
    variant: variant.spec.variant,
    modelVersion: variant.spec.modelVersion,
    requests: variant.window.requests,
    errors: variant.window.errors,
    latencyMs: variant.window.latencyMs,
    replicas: { wanted: variant.pool.wanted, healthy: variant.pool.healthy },
  };
}

/** What was measured since the current weights were set. */
export function observeEndpoint(endpoint: Endpoint | undefined): ControlAnswer<"observe"> {
  if (endpoint === undefined)
    return { stable: null, candidate: null, candidatePercent: 0, verdict: nothingToJudge(), tripped: null, alarms: [] };
  const { stable, candidate } = endpoint.routes;
  const { tripped } = endpoint;
  return {
    stable: stable === null ? null : variantStats(stable),
    candidate: candidate === null ? null : variantStats(candidate),
    candidatePercent: endpoint.percent,
    verdict: endpointVerdict(endpoint),
    tripped:
      tripped === null
        ? null
        : {
            atMs: tripped.atMs,
            firstBadAtMs: tripped.firstBadAtMs,
            candidateRequests: tripped.candidateRequests,
            candidateErrors: tripped.candidateErrors,
            cause: tripped.cause,
          },
    alarms: alarmsOf(endpoint),
  };
}

/** Of the version that serves: how it does against itself. */
function alarmsOf({ routes: { stable }, watch }: Endpoint): ControlAnswer<"observe">["alarms"] {
  if (stable === null || watch === null) return [];
  const { wanted, healthy, failure } = stable.pool;
  const evaluations = watch.evaluate({ wanted, healthy, failure }, Date.now(), performance.now());
  return evaluations.map((evaluation) => ({ ...evaluation, figures: [...evaluation.figures] }));
}

function endpointVerdict(endpoint: Endpoint): Verdict {
  const { stable, candidate, judge } = endpoint.routes;
  const { tripped } = endpoint;
  if (candidate === null || judge === null) {
    if (tripped === null) return nothingToJudge();
    const message = `all traffic went back to stable: ${tripped.cause}`;
    return { outcome: "fail", metrics: [single(tripped.metric, "fail", message)] };
  }
  return canaryVerdict({
    judge,
    candidate: candidate.window,
    stable: stable?.window ?? null,
    percent: endpoint.percent,
    health: {
      wanted: candidate.pool.wanted,
      healthy: candidate.pool.healthy,
      stableWanted: stable?.pool.wanted ?? null,
      failure: candidate.pool.failure,
    },
    tripped,
  });
}

function nothingToJudge(): Verdict {
  return {
    outcome: "inconclusive",
    metrics: [single("traffic", "inconclusive", "there is no candidate that received traffic")],
  };
}

function single(metric: MetricVerdict["metric"], outcome: Verdict["outcome"], message: string): MetricVerdict {
  return { metric, outcome, message, observed: null, limit: null };
}

export function describeEndpoint(endpoint: Endpoint | undefined, url: string): ControlAnswer<"describe">["endpoint"] {
  if (endpoint === undefined) return null;
  const { stable, candidate } = endpoint.routes;
  const { percent } = endpoint;
  const variants: NonNullable<ControlAnswer<"describe">["endpoint"]>["variants"] = [];
  if (stable !== null)
    variants.push({
      ...variantStats(stable),
      percent: 100 - percent,
      artifactDigest: stable.spec.artifactDigest,
      role: "stable",
    });
  if (candidate !== null)
    variants.push({
      ...variantStats(candidate),
      percent,
      artifactDigest: candidate.spec.artifactDigest,
      role: "candidate",
    });
  if (variants.length === 0) return null;
  return {
    generation: endpoint.generation,
    variants,
    invokeUrl: `${url}/endpoints/${endpoint.servedName}/invocations`,
    alarms: alarmsOf(endpoint),
  };
}
