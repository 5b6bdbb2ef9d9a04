import type { AlarmEvaluation } from "../../core/monitor/alarm/evaluation.ts";
import type { Verdict } from "../../core/monitor/verdict.ts";
import type { Plan, TargetName } from "../../core/plan/schema.ts";
import type { EndpointRef } from "../../core/rollout/rollout.ts";

/**
 * Where models run. Every method is **idempotent by desired state**: calling it again with the same effect changes
 * nothing and answers as the first call did. Every effect carries a `generation`; a target that has seen a newer one
 * for the endpoint refuses with `stale-generation`, so that a worker that wakes from a freeze cannot undo a rollback.
 */
export interface Target {
  readonly name: TargetName;
  /** True when nothing real happens; said in every output. */
  readonly simulated: boolean;

  /** Whether the host can take the plan now. Changes nothing. A reason is one sentence for a person. */
  capacity(plan: Plan): Promise<{ ok: true } | { ok: false; code: "host-memory"; reason: string }>;

  /** The endpoint's serving state as canonical JSON bytes, `empty: true` before the first version. Changes nothing. */
  snapshot(at: TenantEndpoint): Promise<{ bytes: Uint8Array; empty: boolean }>;

  /** Brings the candidate up beside what serves, warm, with no traffic. Resolves when every replica answered a warm-up. */
  provision(effect: Effect, candidate: VersionSpec): Promise<void>;

  /** Sets the candidate's share of traffic in one atomic step; the rest goes to what served before. */
  shift(effect: Effect, shift: { percent: number; guard: Guard }): Promise<void>;

  /** What was measured of both versions since the current weights were set. Changes nothing. */
  observe(at: TenantEndpoint): Promise<Observation>;

  /** Makes the candidate the version that serves and retires the one before. */
  promote(effect: Effect): Promise<void>;

  /** All traffic back to what `snapshot` holds and the candidate removed; with an `empty` snapshot the endpoint goes. */
  rollback(effect: Effect, snapshot: Uint8Array): Promise<void>;

  /** Changes the number of replicas of the version that serves. */
  scale(effect: Effect, instanceCount: number): Promise<void>;

  /** Removes the endpoint and everything it holds. Removing what is not there is no error. */
  remove(effect: Effect): Promise<void>;

  /** What is there, for `endpoint get` and reconciliation; undefined when nothing is. */
  describe(at: TenantEndpoint): Promise<EndpointStatus | undefined>;
}

export interface TenantEndpoint {
  tenant: string;
  endpoint: EndpointRef;
}

export interface Effect extends TenantEndpoint {
  /** Rises with every effect on the endpoint; an older one than the newest seen is refused. */
  generation: number;
  /** `rollout/sequence/command`: the same key is the same effect. */
  idempotencyKey: string;
}

/** One version to serve. */
export interface VersionSpec {
  /** Unique within the endpoint: the rollout's id. */
  variant: string;
  modelName: string;
  modelVersion: string;
  /** `sha256:...` of the artifact's plaintext, in the encrypted store. */
  artifactDigest: string;
  instanceType: string;
  instanceCount: number;
  planDigest: string;
}

/** What the data plane may act on by itself, before anyone is asked: traffic goes back to stable and that is recorded. */
export interface Guard {
  /** Most false alarms over a rollout's life, e.g. 0.01. */
  alpha: number;
  /** Requests the candidate must have answered before the verdict can be `pass`. */
  requestsMin: number;
  /** Error share of the candidate above stable's that is not tolerated, e.g. 0.01. */
  errorRateExcessMax: number;
  /** The candidate's latencies may be this many times stable's, e.g. 1.5; lasting slowness counts from a fifth of it on. */
  latencyRatioMax: number;
  onHealthCheckFailure: boolean;
  /** `proof`: what is not proven does not pass. Default `limit`: at the end of the bake it may, and is called that. */
  promoteOn?: "limit" | "proof" | undefined;
}

export interface VariantStats {
  variant: string;
  modelVersion: string;
  requests: number;
  errors: number;
  latencyMs: { p50: number | null; p99: number | null };
  replicas: { wanted: number; healthy: number };
}

export interface Observation {
  stable: VariantStats | null;
  candidate: VariantStats | null;
  candidatePercent: number;
  verdict: Verdict;
  /** Set when the data plane already sent all traffic back to stable, with the cause. */
  tripped: {
    atMs: number;
    firstBadAtMs: number | null;
    candidateRequests: number;
    candidateErrors: number;
    cause: string;
  } | null;
  /** How the version that serves does against its own first answers, rollout or not; absent where nobody watches. */
  alarms?: readonly AlarmEvaluation[] | undefined;
}

export interface EndpointStatus {
  generation: number;
  variants: (VariantStats & { percent: number; artifactDigest: string; role: "stable" | "candidate" })[];
  /** Where invocations go, e.g. `http://127.0.0.1:8081/endpoints/development-churn/invocations`. */
  invokeUrl: string | null;
  simulated: boolean;
  /** As in `Observation`. */
  alarms?: readonly AlarmEvaluation[] | undefined;
}

export type TargetErrorCode =
  | "stale-generation"
  | "no-such-endpoint"
  | "bad-model"
  | "host-memory"
  /** The data plane already sent all traffic back to stable; `observe` says why. */
  | "tripped"
  /** A newer effect came while this one ran, and it was given up. */
  | "superseded"
  | "unreachable"
  | "not-available";
