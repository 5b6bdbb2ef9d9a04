import { setTimeout as sleep } from "node:timers/promises";
import { performDueRestores } from "./alarms/perform-restores.ts";
import { RESTORE_WANTED } from "./alarms/record-evaluations.ts";
import { sequenceAllAudit } from "./audit-log.ts";
import type { EngineParts } from "./engine.ts";
import { Errand } from "./errand.ts";
import { supersedeOutdated } from "./evidence-expiry.ts";
import { JobRunner } from "./job-runner.ts";
import { claimJobs, handBackJobs } from "./jobs.ts";
import { dequeueForgotten } from "./queue.ts";
import { lookForDeath, type Registration, reapDeadWorkers, register } from "./registration.ts";
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

/** Others take a worker for dead after four seconds of silence. */
const HEARTBEAT_MS = 2_000;
const BUSY_HEARTBEAT_MS = 1_000;
/** While another worker holds jobs: how soon it is noticed that it died. */
const REAP_MS = 500;
/** After a job was told of somebody may hold it soon. */
const STIR_MS = 2_000;
const TIMER_MS = 500;
/** Whoever reads the log gives waiting entries their places first, so nobody waits for this; seldom is cheaper. */
const AUDIT_MS = 1_000;
/** The safety net below the notifications: everything is looked at this often, though nobody told of anything. */
const NET_MS = 5_000;
const BUSY_CLAIM_MS = 5;
/** Evidence is good for days: what became too old is found soon enough. */
const EVIDENCE_MS = 60_000;
/** How soon a claim that failed is tried again. */
const CLAIM_AGAIN_MS = 500;
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
  /** Jobs may have been left because every slot was taken. */
  #left = false;
  /** On the clock of this process. */
  #stirredMs = Number.NEGATIVE_INFINITY;
  readonly #beating = this.#errand("heartbeat-failed", () => this.#beat(), BUSY_HEARTBEAT_MS, HEARTBEAT_MS);
  readonly #reaping = this.#errand("reaping-failed", () => this.#reap(), REAP_MS);
  readonly #timing = this.#errand("timers-failed", () => tickDue(this.#options.parts), TIMER_MS);
  readonly #restoring = this.#errand("restores-failed", () => this.#restore(), TIMER_MS);
  readonly #sequencing = this.#errand("audit-sequencing-failed", () => this.#sequence(), AUDIT_MS);

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
    this.#unlisten.push(await database.listen("jobs", () => this.#onJobs()));
    this.#unlisten.push(await database.listen("rollout_signals", (payload) => this.#onSignal(payload)));
    this.#unlisten.push(await database.listen(RESTORE_WANTED, () => this.#restoring.call()));
    const { signal } = this.#stopping;
    this.#loops.push(
      this.#claimLoop(),
      this.#every(NET_MS, "queue-sweep-failed", () => dequeueForgotten(this.#options.parts)),
      this.#every(EVIDENCE_MS, "evidence-sweep-failed", () => supersedeOutdated(this.#options.parts)),
      ...[this.#beating, this.#reaping, this.#timing, this.#sequencing, this.#restoring].map((errand) =>
        errand.run(signal),
      ),
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
      onFree: () => this.#onFree(),
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
    // It registers anew with its next heartbeat, and takes its jobs back by the way that others would.
    this.#beating.call();
    this.#reaping.call();
  }

  /** Answers when the next one is due. */
  async #beat(): Promise<number> {
    const registration = this.#registration;
    if (registration === undefined) {
      await this.#register();
      return HEARTBEAT_MS;
    }
    const late = sleep(BEAT_MS_MAX, false, { signal: this.#stopping.signal }).catch(() => true);
    const alive = await Promise.race([registration.beat().catch(() => false), late]);
    if (!alive) {
      this.#lose(registration);
      return BUSY_HEARTBEAT_MS;
    }
    await this.#runner?.dropLost();
    const released = await this.#runner?.releaseUnknown();
    if (released) this.#wakeUp();
    return this.#runner?.isBusy() ? BUSY_HEARTBEAT_MS : HEARTBEAT_MS;
  }

  /** Often while somebody holds jobs that may have to be taken over, seldom while nobody does. */
  async #reap(): Promise<number> {
    const { database, log } = this.#options.parts;
    const { busy, dead } = await lookForDeath(database, this.id);
    if (dead) {
      const { workers, jobs } = await reapDeadWorkers(database);
      for (const worker of workers) log.warn("worker-reaped", { worker, count: jobs });
    }
    return busy || performance.now() < this.#stirredMs + STIR_MS ? REAP_MS : NET_MS;
  }

  async #sequence(): Promise<undefined> {
    await sequenceAllAudit(this.#options.parts.database);
  }

  async #restore(): Promise<undefined> {
    await performDueRestores(this.#options.parts);
  }

  /** With a job comes all the rest: a deadline, an entry of the log, and soon somebody who holds it. */
  #onJobs(): void {
    this.#stirredMs = performance.now();
    this.#wakeUp();
    this.#reaping.call();
    this.#timing.call();
    this.#sequencing.call();
  }

  #onFree(): void {
    this.#sequencing.call();
    if (this.#left) this.#wakeUp();
  }

  /** Somebody gave a rollout another course. */
  #onSignal(payload: string): void {
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
      // One that works already leaves a single job to those who do not, and takes several at once when all work.
      if (this.#runner?.isBusy()) await sleep(BUSY_CLAIM_MS, undefined, { signal }).catch(() => undefined);
      // Whoever stops wakes this once, and may have done so during the pause.
      if (signal.aborted) return;
      this.#woken = false;
      let waitMs = NET_MS;
      try {
        await this.#claim();
      } catch (error) {
        this.#options.parts.log.warn("claim-failed", { reason: String(error) });
        waitMs = CLAIM_AGAIN_MS;
      }
      if (!this.#woken) await this.#untilWoken(waitMs);
    }
  }

  async #claim(): Promise<void> {
    const runner = this.#runner;
    if (runner === undefined) return;
    const { effects, watches } = runner.freeSlots();
    // Whatever comes now is left until a slot is free.
    this.#left = effects === 0 || watches === 0;
    if (effects + watches === 0) return;
    const { parts, host } = this.#options;
    const claimed = await claimJobs(parts.database, { worker: runner.worker, host, effects, watches });
    for (const work of claimed) runner.run(work);
    const watching = claimed.filter(({ job }) => job.command.type === "watch").length;
    if (watching >= watches || claimed.length - watching >= effects) this.#left = true;
    if (claimed.length > 0) this.#beating.call();
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

  #errand(
    failure: string,
    work: () => Promise<number | undefined>,
    fastestMs: number,
    slowestMs: number = NET_MS,
  ): Errand {
    const onFailure = (error: unknown) => this.#options.parts.log.warn(failure, { reason: String(error) });
    return new Errand({ work, fastestMs, slowestMs, onFailure });
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
