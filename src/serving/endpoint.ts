import type { z } from "zod";
import { ArmWindow } from "../core/monitor/judge/arm-window.ts";
import type { CanaryJudge, JudgeAlarm } from "../core/monitor/judge/canary-judge.ts";
import { LatencyHistogram } from "../core/monitor/judge/latency-histogram.ts";
import { ServiceWatch } from "../core/monitor/judge/service-watch.ts";
import type { guardSchema, ServedAt, Version } from "./protocol.ts";
import type { EndpointState, VariantState } from "./state-file.ts";
import type { ReplicaPool } from "./supervisor/replica-pool.ts";

/** Upper bounds of the latency histogram that `/metrics` shows, in milliseconds. */
export const LATENCY_BUCKETS_MS = [0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const;

/** One version of a model with its replicas and what it answered. */
export class Variant {
  readonly pool: ReplicaPool;
  spec: Version;
  window = new ArmWindow();
  /** All answers since it was provisioned, faults of the caller left out. */
  readonly life: { requests: number; errors: number };
  /** Answers by HTTP status, for `/metrics`. */
  readonly statuses = new Map<number, number>();
  readonly latencyBuckets = new Float64Array(LATENCY_BUCKETS_MS.length + 1);
  latencySumMs = 0;
  /** Says in every answer which version it came from: whole header lines, made once. */
  readonly headerLines: string;

  constructor(options: { spec: Version; pool: ReplicaPool; life: { requests: number; errors: number } }) {
    this.spec = options.spec;
    this.pool = options.pool;
    this.life = options.life;
    const variant = headerText(options.spec.variant);
    this.headerLines =
      `x-continuum-variant: ${variant}\r\n` +
      `x-continuum-model-version: ${headerText(options.spec.modelVersion)}\r\n` +
      `x-amzn-invoked-production-variant: ${variant}\r\n`;
  }

  /** Counts an answer for the operators; the caller's faults too. */
  meter(status: number, latencyMs: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    let bucket = 0;
    while (bucket < LATENCY_BUCKETS_MS.length && latencyMs > (LATENCY_BUCKETS_MS[bucket] ?? 0)) bucket += 1;
    this.latencyBuckets[bucket] = (this.latencyBuckets[bucket] ?? 0) + 1;
    this.latencySumMs += latencyMs;
  }

  /** Counts an answer that says something about the version. */
  measure(failed: boolean, latencyMs: number): void {
    this.life.requests += 1;
    if (failed) this.life.errors += 1;
    this.window.record({ failed, latencyMs });
  }

  toState(): VariantState {
    return { spec: this.spec, life: { ...this.life }, replicas: this.pool.records };
  }
}

/** A version may be called anything, and a header takes only some characters: the others are percent-encoded. */
function headerText(text: string): string {
  return text.toWellFormed().replace(/[^\x21-\x7e]/gu, encodeURIComponent);
}

/**
 * Who gets a request. Replaced as a whole and never changed: a request sees either the weights before or those after.
 */
export interface Routes {
  readonly stable: Variant | null;
  readonly candidate: Variant | null;
  /** With which a request goes to the candidate. */
  readonly probability: number;
  readonly judge: CanaryJudge | null;
}

export const NO_ROUTES: Routes = { stable: null, candidate: null, probability: 0, judge: null };

export type Guard = z.infer<typeof guardSchema>;
export type TrippedState = NonNullable<EndpointState["tripped"]>;

const DONE_KEYS_MAX = 64;
/** For a version that was put back without a rollout: the documented defaults of a judgement. */
const WATCH_LIMITS = { errorRateExcessMax: 0.01, latencyRatioMax: 1.5 };

/** `{environment}-{name}` of one tenant: what is invoked. */
export class Endpoint {
  readonly at: ServedAt;
  readonly servedName: string;
  routes: Routes = NO_ROUTES;
  /** The newest generation that was seen; effects of an older one are refused. */
  generation = 0;
  guard: Guard | null = null;
  tripped: TrippedState | null = null;
  /** Looks after the version that serves, rollout or not; null while none does. */
  watch: ServiceWatch | null = null;
  /** Requests that were admitted and not answered yet. */
  inFlight = 0;
  doneKeys: string[] = [];
  /** Effects run one after the other; a newer generation aborts the one that runs. */
  queue: Promise<void> = Promise.resolve();
  running: AbortController | null = null;

  constructor(at: ServedAt) {
    this.at = at;
    this.servedName = servedNameOf(at);
  }

  get percent(): number {
    return this.routes.probability * 100;
  }

  /** Begins to look after a version that serves from now on, by what was tolerated of it and what it answered so far. */
  watchOver(answered: ArmWindow | null): void {
    const { errorRateExcessMax, latencyRatioMax } = this.guard ?? WATCH_LIMITS;
    const baseline = {
      requests: answered?.requests ?? 0,
      errors: answered?.errors ?? 0,
      latency: LatencyHistogram.fromState(answered?.latency.toState() ?? []),
    };
    this.watch = new ServiceWatch({ limits: { errorRateExcessMax, latencyRatioMax }, baseline });
  }

  remember(idempotencyKey: string): void {
    this.doneKeys = [...this.doneKeys.filter((key) => key !== idempotencyKey), idempotencyKey].slice(-DONE_KEYS_MAX);
  }

  /**
   * All traffic back to stable, at once and before anybody is asked. False when there is no stable to go back to, or
   * when it happened before.
   */
  trip(alarm: Pick<JudgeAlarm, "atMs" | "firstBadAtMs" | "cause"> & { metric: TrippedState["metric"] }): boolean {
    const { routes } = this;
    if (this.tripped !== null || routes.stable === null || routes.candidate === null) return false;
    this.routes = { ...routes, probability: 0 };
    const soFar = routes.judge?.candidateSoFar ?? { requests: 0, errors: 0 };
    this.tripped = {
      metric: alarm.metric,
      atMs: alarm.atMs,
      firstBadAtMs: alarm.firstBadAtMs,
      candidateRequests: soFar.requests,
      candidateErrors: soFar.errors,
      cause: alarm.cause,
    };
    return true;
  }

  toState(): EndpointState {
    const { routes } = this;
    return {
      ...this.at,
      generation: this.generation,
      doneKeys: this.doneKeys,
      percent: this.percent,
      guard: this.guard,
      tripped: this.tripped,
      stable: routes.stable?.toState() ?? null,
      candidate: routes.candidate?.toState() ?? null,
      judge: routes.judge?.toState() ?? null,
      watch: this.watch?.toState() ?? null,
    };
  }
}

export function servedNameOf(at: Pick<ServedAt, "environment" | "name">): string {
  return `${at.environment}-${at.name}`;
}

/** All endpoints of this host, by tenant and name. */
export class EndpointTable {
  readonly #endpoints = new Map<string, Map<string, Endpoint>>();

  get(tenant: string, servedName: string): Endpoint | undefined {
    return this.#endpoints.get(tenant)?.get(servedName);
  }

  getOrCreate(at: ServedAt): Endpoint {
    const tenant = this.#endpoints.get(at.tenant) ?? new Map<string, Endpoint>();
    this.#endpoints.set(at.tenant, tenant);
    const existing = tenant.get(servedNameOf(at));
    if (existing !== undefined) return existing;
    const created = new Endpoint({ tenant: at.tenant, environment: at.environment, name: at.name });
    tenant.set(created.servedName, created);
    return created;
  }

  *all(): Generator<Endpoint> {
    for (const tenant of this.#endpoints.values()) yield* tenant.values();
  }

  *variants(): Generator<{ endpoint: Endpoint; variant: Variant; role: "stable" | "candidate" }> {
    for (const endpoint of this.all()) {
      const { stable, candidate } = endpoint.routes;
      if (stable !== null) yield { endpoint, variant: stable, role: "stable" };
      if (candidate !== null) yield { endpoint, variant: candidate, role: "candidate" };
    }
  }
}
