import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { ContinuumError } from "../../core/error.ts";
import { fairLevel } from "./capture-inflow.ts";
import { EndpointMonitor } from "./endpoint-monitor.ts";
import type { MonitorParts } from "./monitor-parts.ts";
import { endpointName, type WatchedEndpoint, WatchList } from "./watched.ts";

/** While something comes in, and while a candidate is judged. */
const BUSY_MS = 1_000;
const REST_MS = 2_500;
/** How soon after the last news an endpoint counts as at rest. */
const QUIET_AFTER_MS = 10_000;
/** Whoever rolls something out is told of at once; this is the net below it. */
const LIST_MS = 30_000;
const LIST_AGAIN_MS = 250;
/** Endpoints whose columns, sketches and tests are kept in memory; those of others are read again when they are due. */
const KEPT_MAX = 64;

/**
 * Reads the captures of this host's endpoints, and says of each version whether what comes in is what its baseline was
 * made of. Keeps nothing of its own: whatever it had when it dies, another reads again from where the last one stored.
 */
export class Monitor {
  readonly #parts: MonitorParts;
  readonly #keptMax: number;
  readonly #list = new WatchList();
  readonly #stopping = new AbortController();
  /** The most recently used last. */
  readonly #kept = new Map<string, EndpointMonitor>();
  #watched: readonly WatchedEndpoint[] = [];
  #unlisten: (() => Promise<void>) | undefined;
  #loop: Promise<void> = Promise.resolve();
  #listDueMs = 0;
  #newsMs = Number.NEGATIVE_INFINITY;
  #failing: string | undefined;
  /** By endpoint: why it cannot be monitored, as it was last told. */
  readonly #told = new Map<string, string>();

  constructor(parts: MonitorParts, options: { keptMax?: number } = {}) {
    this.#parts = parts;
    this.#keptMax = options.keptMax ?? KEPT_MAX;
  }

  async start(): Promise<void> {
    this.#unlisten = await this.#parts.database.listen("rollout_events", () => {
      this.#listDueMs = Math.min(this.#listDueMs, performance.now() + LIST_AGAIN_MS);
    });
    this.#loop = this.#run();
  }

  /** What keeps it from its work; one sentence each. */
  problems(): string[] {
    return this.#failing === undefined ? [] : [this.#failing];
  }

  get watchedCount(): number {
    return this.#watched.length;
  }

  /** Endpoints whose state is in memory: what its size depends on. */
  get keptCount(): number {
    return this.#kept.size;
  }

  /** Of the endpoint that is read latest: how old what was read is. 0 when all was read. */
  get lagSeconds(): number {
    return Math.max(0, ...[...this.#kept.values()].map((endpoint) => endpoint.lagSeconds));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#unlisten?.();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.lookAtAll();
        this.#failing = undefined;
      } catch (error) {
        if (this.#failing === undefined) this.#parts.log.warn("monitor-failed", { reason: String(error) });
        this.#failing = "The monitor cannot work: the database or the capture cannot be read.";
      }
      const busy = performance.now() - this.#newsMs < QUIET_AFTER_MS || this.#watched.some((one) => one.candidate);
      await sleep(busy ? BUSY_MS : REST_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One look at every watched endpoint of this host. */
  async lookAtAll(): Promise<void> {
    if (performance.now() >= this.#listDueMs) {
      this.#listDueMs = performance.now() + LIST_MS;
      this.#watched = await this.#list.read(this.#parts.database, this.#parts.host);
      this.#forgetUnwatched();
    }
    const inflows = [...this.#kept.values()].map((endpoint) => endpoint.bytesPerSecond);
    const level = fairLevel(inflows, this.#parts.captureBytesPerSecondMax);
    for (const watched of this.#watched) {
      if (this.#stopping.signal.aborted) return;
      await this.#lookAt(watched, level);
    }
  }

  /** What fails at one endpoint does not keep the others waiting. */
  async #lookAt(watched: WatchedEndpoint, bytesPerSecondMax: number): Promise<void> {
    const endpoint = this.#endpoint(watched);
    try {
      const facts = await endpoint.look(watched, this.#stopping.signal, bytesPerSecondMax);
      if (endpoint.isListStale) this.#listDueMs = 0;
      this.#told.delete(keyOf(watched));
      if (facts.requests + facts.unreadable + facts.notSampled > 0) this.#newsMs = performance.now();
      this.#parts.onLook?.(facts);
    } catch (error) {
      // What is in memory may be ahead of what is stored.
      this.#kept.delete(keyOf(watched));
      if (isUnavailable(error)) throw error;
      this.#tellFailure(watched, error);
    }
  }

  /** Once, until it works again. Messages of others' errors may hold what was read, so only ours are told. */
  #tellFailure(watched: WatchedEndpoint, error: unknown): void {
    const reason = error instanceof ContinuumError ? error.message : error instanceof Error ? error.name : "unknown";
    const key = keyOf(watched);
    if (this.#told.get(key) === reason) return;
    this.#told.set(key, reason);
    const { tenant } = watched.at;
    this.#parts.log.error("endpoint-not-monitored", { tenant, endpoint: endpointName(watched.at), reason });
  }

  #endpoint(watched: WatchedEndpoint): EndpointMonitor {
    const key = keyOf(watched);
    const kept = this.#kept.get(key) ?? new EndpointMonitor(this.#parts, watched.at);
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#keptMax) break;
      this.#kept.delete(oldest);
    }
    return kept;
  }

  #forgetUnwatched(): void {
    const watched = new Set(this.#watched.map(keyOf));
    for (const known of [this.#kept, this.#told])
      for (const key of known.keys()) if (!watched.has(key)) known.delete(key);
  }
}

function keyOf({ at }: WatchedEndpoint): string {
  return JSON.stringify([at.tenant, at.environment, at.target, at.name]);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "database-unavailable";
}
