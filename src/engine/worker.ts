import { setTimeout as sleep } from "node:timers/promises";
import { sequenceAllAudit } from "./audit-log.ts";
import type { EngineParts } from "./engine.ts";
import { JobRunner } from "./job-runner.ts";
import { claimJobs, handBackJobs } from "./jobs.ts";
import { dequeueForgotten } from "./queue.ts";
import { type Registration, reapDeadWorkers, register } from "./registration.ts";
import { tickDue } from "./timers.ts";

export interface WorkerOptions {
  parts: EngineParts;
  /** The name of this machine; jobs of a local endpoint go to workers on its host only. */
  host: string;
  /** Default 8. */
  effectSlots?: number;
  /** Default 1000. */
  watchSlots?: number;
  /** Brings targets on this host back to what is wanted; called every `reconcileMs` (default 2000). */
  reconcile?: () => Promise<void>;
  reconcileMs?: number;
  /** Tells the data plane on this host who may invoke; called at once when that changed, beside `reconcile`. */
  syncCredentials?: () => Promise<void>;
}

/** What only a worker beside a data plane has. */
type Hook = "reconcile" | "syncCredentials";

const HEARTBEAT_MS = 500;
const REAP_MS = 500;
const TIMER_MS = 500;
/** Whoever reads the log gives waiting entries their places first, so nobody waits for this; seldom is cheaper. */
const AUDIT_MS = 1_000;
const QUEUE_SWEEP_MS = 2_000;
/** The safety net below the notifications. */
const POLL_MS = 1_000;
/** A heartbeat that takes longer than others wait for it. */
const BEAT_MS_MAX = 4_000;

/**
 * One of any number of equal workers: claims jobs, performs them, and commits what happened. It keeps nothing of its
 * own; whatever it had when it dies is taken over by the others.
 */
export class Worker {
  readonly #options: Required<Omit<WorkerOptions, Hook>> & Pick<WorkerOptions, Hook>;
  readonly #stopping = new AbortController();
  readonly #loops: Promise<void>[] = [];
  readonly #unlisten: (() => Promise<void>)[] = [];
  #registration: Registration | undefined;
  #runner: JobRunner | undefined;
  #wake: (() => void) | undefined;
  #woken = false;

  constructor(options: WorkerOptions) {
    this.#options = { effectSlots: 8, watchSlots: 1000, reconcileMs: 2000, ...options };
  }

  /** The present name; it changes when the worker was taken for dead and registered anew. */
  get id(): string | undefined {
    return this.#registration?.id;
  }

  async start(): Promise<void> {
    await this.#register();
    const { database } = this.#options.parts;
    this.#unlisten.push(await database.listen("jobs", () => this.#wakeUp()));
    this.#unlisten.push(await database.listen("rollout_events", (payload) => this.#onRolloutEvent(payload)));
    this.#loops.push(
      this.#claimLoop(),
      this.#every(HEARTBEAT_MS, "heartbeat-failed", () => this.#beat()),
      this.#every(REAP_MS, "reaping-failed", () => this.#reap()),
      this.#every(TIMER_MS, "timers-failed", () => tickDue(this.#options.parts)),
      this.#every(AUDIT_MS, "audit-sequencing-failed", () => sequenceAllAudit(database)),
      this.#every(QUEUE_SWEEP_MS, "queue-sweep-failed", () => dequeueForgotten(this.#options.parts)),
    );
    const { reconcile, reconcileMs, syncCredentials } = this.#options;
    if (syncCredentials !== undefined)
      this.#unlisten.push(await database.listen("credentials", () => this.#syncCredentials(syncCredentials)));
    if (reconcile !== undefined) this.#loops.push(this.#every(reconcileMs, "reconcile-failed", reconcile));
  }

  /** Finishes what it can within `graceMs`, hands the rest back, and leaves; others take over at once. */
  async stop(graceMs = 10_000): Promise<void> {
    await this.#runner?.stop(graceMs);
    this.#stopping.abort();
    this.#wakeUp();
    await Promise.all(this.#loops);
    for (const unlisten of this.#unlisten) await unlisten();
    const registration = this.#registration;
    if (registration === undefined) return;
    const handedBack = await handBackJobs(this.#options.parts.database, registration.id).catch(() => 0);
    await registration.end();
    this.#options.parts.log.info("worker-stopped", { worker: registration.id, count: handedBack });
  }

  async #register(): Promise<void> {
    const { parts, host } = this.#options;
    const registration = await register(parts.database, { host });
    registration.onLost(() => this.#lose(registration));
    this.#registration = registration;
    this.#runner = new JobRunner(registration.id, {
      ...this.#options,
      onFree: () => this.#wakeUp(),
      onRetry: (afterMs) => void setTimeout(() => this.#wakeUp(), afterMs + 5).unref(),
    });
    parts.log.info("worker-registered", { worker: registration.id, host, pid: process.pid });
    this.#wakeUp();
  }

  /** Others have our jobs now, or soon will; whatever we still do with them is fenced. */
  #lose(registration: Registration): void {
    if (this.#registration !== registration || this.#stopping.signal.aborted) return;
    this.#options.parts.log.warn("worker-lost", { worker: registration.id });
    this.#runner?.abandon();
    this.#runner = undefined;
    this.#registration = undefined;
    void registration.end();
  }

  async #beat(): Promise<void> {
    const registration = this.#registration;
    if (registration === undefined) return this.#register();
    const late = sleep(BEAT_MS_MAX, false, { signal: this.#stopping.signal }).catch(() => true);
    const alive = await Promise.race([registration.beat().catch(() => false), late]);
    if (!alive) return this.#lose(registration);
    await this.#runner?.dropLost();
    const released = await this.#runner?.releaseUnknown();
    if (released) this.#wakeUp();
  }

  async #reap(): Promise<void> {
    const { workers, jobs } = await reapDeadWorkers(this.#options.parts.database);
    for (const worker of workers) this.#options.parts.log.warn("worker-reaped", { worker, count: jobs });
  }

  #onRolloutEvent(payload: string): void {
    const [tenant, rollout, sequence] = payload.split("/");
    const concerned = payload === "" ? undefined : { tenant, rollout, sequence: Number(sequence) };
    this.#runner
      ?.dropLost((job) => {
        if (concerned === undefined) return true;
        return (
          job.rollout === concerned.rollout && job.tenant === concerned.tenant && job.sequence < concerned.sequence
        );
      })
      .catch((error: unknown) => this.#options.parts.log.warn("drop-failed", { reason: String(error) }));
  }

  /** Whoever was just given a token uses it now. What fails here is made good by the next reconciliation. */
  #syncCredentials(sync: () => Promise<void>): void {
    sync().catch((error: unknown) => this.#options.parts.log.warn("credentials-not-told", { reason: String(error) }));
  }

  async #claimLoop(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#woken = false;
      try {
        if (await this.#claim()) continue;
      } catch (error) {
        this.#options.parts.log.warn("claim-failed", { reason: String(error) });
      }
      if (!this.#woken) await this.#untilWoken(POLL_MS);
    }
  }

  /** True when there may be more. */
  async #claim(): Promise<boolean> {
    const runner = this.#runner;
    if (runner === undefined) return false;
    const { effects, watches } = runner.freeSlots();
    if (effects + watches === 0) return false;
    const { parts, host } = this.#options;
    const jobs = await claimJobs(parts.database, { worker: runner.worker, host, effects, watches });
    for (const job of jobs) runner.run(job);
    return jobs.length > 0;
  }

  #wakeUp(): void {
    this.#woken = true;
    this.#wake?.();
  }

  #untilWoken(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async #every(ms: number, failure: string, work: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (!signal.aborted) this.#options.parts.log.warn(failure, { reason: String(error) });
      }
      await sleep(ms, undefined, { signal }).catch(() => undefined);
    }
  }
}
