import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { assert, ContinuumError } from "../../core/error.ts";
import type { Log } from "../log.ts";
import { OP } from "../replica/frames.ts";
import type { TensorSpec } from "../replica/tensor-type.ts";
import { servingError } from "../serving-error.ts";
import type { ReplicaSize } from "../sizes.ts";
import { ReplicaLink } from "./replica-link.ts";
import { killQuietly, processStartTicks, type ReplicaRecord, rssBytes, startReplica } from "./replica-process.ts";

export interface PoolOptions {
  variant: string;
  servedName: string;
  modelVersion: string;
  size: ReplicaSize;
  wanted: number;
  readModel: () => Promise<Uint8Array>;
  socketDir: string;
  stateFile: string;
  startMsMax: number;
  orphanMsMax: number;
  healthMs: number;
  healthMsMax: number;
  log: Log;
  /** Called whenever which replicas run, or how many are healthy, has changed. */
  onChange: () => void;
}

/** A replica that answers. */
export interface LiveReplica {
  record: ReplicaRecord;
  link: ReplicaLink;
}

/** Somebody who waits for a replica. */
export interface LiveWaiter {
  onLive(): void;
}

interface Member extends LiveReplica {
  child: ChildProcess | null;
  sinceMs: number;
  draining: boolean;
  pingSinceMs: number | null;
  rssBytes: number | null;
}

const BACKOFF_MS = 100;
const BACKOFF_MS_MAX = 10_000;
/** A replica that lived this long was no part of a crash loop. */
const SETTLED_MS = 30_000;
/** So many deaths within so long, or so long without any healthy replica, and a version is given up. */
const DEATHS_MAX = 3;
const DEATHS_WINDOW_MS = 10 * 60_000;
const NONE_HEALTHY_MS_MAX = 10_000;
/** More may be wanted while replicas start, and one may die meanwhile. */
const START_PASSES_MAX = 3;
const DRAIN_LOOK_MS = 20;
const MEBIBYTE = 1024 * 1024;

/** The replicas of one version: starts, watches, restarts and stops them. */
export class ReplicaPool {
  readonly #options: PoolOptions;
  #members: Member[] = [];
  #live: Member[] = [];
  #wanted: number;
  #starting: Promise<void> | null = null;
  #stopped = false;
  #deathsAtMs: number[] = [];
  #failuresInARow = 0;
  #lastDeath = "";
  #noneHealthySinceMs: number | null = null;
  #retry: NodeJS.Timeout | null = null;
  readonly #waiters = new Set<LiveWaiter>();
  readonly #watch: NodeJS.Timeout;
  #signature: { inputs: readonly TensorSpec[]; outputs: readonly TensorSpec[] } | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#wanted = options.wanted;
    this.#watch = setInterval(() => void this.#look(), options.healthMs);
    this.#watch.unref();
  }

  /** True from the moment on that the version retires. */
  get stopped(): boolean {
    return this.#stopped;
  }
  get wanted(): number {
    return this.#wanted;
  }
  /** False after a restart until the first replica is back: so long nothing can be held against the version. */
  get wasHealthy(): boolean {
    return this.#signature !== null;
  }
  get healthy(): number {
    return this.#live.length;
  }
  get signature(): { inputs: readonly TensorSpec[]; outputs: readonly TensorSpec[] } | null {
    return this.#signature;
  }
  get records(): ReplicaRecord[] {
    return this.#members.map((member) => member.record);
  }
  get inFlight(): number {
    return this.#members.reduce((sum, member) => sum + member.link.inFlight, 0);
  }
  get rssBytes(): number {
    return this.#members.reduce((sum, member) => sum + (member.rssBytes ?? 0), 0);
  }
  get memoryBytesMax(): number {
    return this.#options.size.memoryBytesMax * Math.max(this.#wanted, this.#members.length);
  }

  /** Why this version is to be given up; null while there is hope. */
  get failure(): string | null {
    // A version that serves for months may lose a replica now and then.
    const deaths = this.#deathsAtMs.filter((atMs) => Date.now() - atMs < DEATHS_WINDOW_MS).length;
    if (deaths >= DEATHS_MAX) return `the replicas died ${deaths} times within 10 minutes, last by ${this.#lastDeath}`;
    const since = this.#noneHealthySinceMs;
    if (since !== null && Date.now() - since >= NONE_HEALTHY_MS_MAX)
      return `no replica is healthy since ${Date.now() - since} ms${this.#lastDeath === "" ? "" : `, after ${this.#lastDeath}`}`;
    return null;
  }

  /** The live replica with the fewest requests in flight. */
  pick(): ReplicaLink | null {
    const live = this.#live;
    let best = live[0];
    if (best === undefined) return null;
    for (let at = 1; at < live.length; at += 1) {
      const other = live[at];
      if (other !== undefined && other.link.inFlight < best.link.inFlight) best = other;
    }
    return best.link;
  }

  /** Calls `onLive` once the next replica answers, or none ever will. False when none is to be expected. */
  wait(waiter: LiveWaiter): boolean {
    if (this.#stopped || this.failure !== null) return false;
    this.#waiters.add(waiter);
    return true;
  }

  stopWaiting(waiter: LiveWaiter): void {
    this.#waiters.delete(waiter);
  }

  /** Starts what is missing; resolves when every wanted replica is live. Throws `bad-model` when one cannot be. */
  async start(abort?: AbortSignal): Promise<void> {
    for (let pass = 0; this.#live.length < this.#wanted && !this.#stopped; pass += 1) {
      if (pass === START_PASSES_MAX)
        throw servingError("not-available", "replicas end as soon as they are ready", { retryable: true });
      // One at a time: whoever asks while replicas start would else start as many again.
      this.#starting ??= this.#startMissing().finally(() => {
        this.#starting = null;
      });
      const failed = await this.#starting.then(
        () => null,
        (error: unknown) => ({ error }),
      );
      if (abort?.aborted) throw servingError("superseded", "a newer effect on the endpoint replaced this one");
      if (failed !== null) throw failed.error;
    }
  }

  async #startMissing(): Promise<void> {
    const model = await this.#options.readModel();
    const missing = Math.max(0, this.#wanted - this.#live.length);
    const results = await Promise.allSettled(Array.from({ length: missing }, () => this.#add(model)));
    // Fewer may be wanted by now.
    this.#drainSurplus();
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** Connects to replicas that outlived the process that started them; answers how many were taken over. */
  async adopt(records: readonly ReplicaRecord[]): Promise<number> {
    await Promise.all(records.map((record) => this.#adoptOne(record)));
    return this.#live.length;
  }

  async #adoptOne(record: ReplicaRecord): Promise<void> {
    try {
      const { link, hello } = await ReplicaLink.open(record);
      if (hello.pid !== record.pid || hello.variant !== this.#options.variant) {
        link.close();
        throw servingError("not-available", "another replica answers on the socket");
      }
      this.#join({ record, link, child: null }, hello);
    } catch {
      // Nobody there, or nobody we know: it may only be killed when it certainly is the process that was recorded.
      if (record.startTicks !== null && processStartTicks(record.pid) === record.startTicks) killQuietly(record.pid);
      rmSync(record.socketPath, { force: true });
    }
  }

  /** More replicas are started before it resolves; fewer are drained behind it. */
  async scale(wanted: number, abort?: AbortSignal): Promise<void> {
    assert(wanted >= 1, "a version that serves has a replica");
    const before = this.#wanted;
    this.#wanted = wanted;
    try {
      await this.start(abort);
    } catch (error) {
      this.#wanted = before;
      this.#drainSurplus();
      throw error;
    }
    this.#drainSurplus();
    this.#options.onChange();
  }

  #drainSurplus(): void {
    for (const surplus of this.#live.slice(this.#wanted)) void this.#retire(surplus, this.#options.healthMsMax);
  }

  /** Waits until what is in flight was answered, at most `drainMsMax`, and ends every replica. */
  async stop(drainMsMax: number): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#watch);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#wakeWaiters();
    await Promise.all(this.#members.map((member) => this.#retire(member, drainMsMax)));
  }

  /** Forgets the replicas and leaves them running for the next process to adopt. */
  release(): void {
    this.#stopped = true;
    clearInterval(this.#watch);
    if (this.#retry !== null) clearTimeout(this.#retry);
    for (const member of this.#members) {
      member.link.onClose = null;
      member.link.close();
    }
  }

  async #add(model: Uint8Array): Promise<void> {
    const { record, child } = await startReplica({ ...this.#options, model });
    const { link, hello } = await ReplicaLink.open(record).catch((error: unknown) => {
      killQuietly(record.pid);
      throw error;
    });
    if (this.#stopped) {
      link.stop();
      link.close();
      killQuietly(record.pid);
      rmSync(record.socketPath, { force: true });
      return;
    }
    this.#join({ record, link, child }, hello);
  }

  #join(
    replica: LiveReplica & { child: ChildProcess | null },
    signature: { inputs: readonly TensorSpec[]; outputs: readonly TensorSpec[] },
  ): void {
    const member: Member = { ...replica, sinceMs: Date.now(), draining: false, pingSinceMs: null, rssBytes: null };
    member.link.onClose = () => this.#died(member, "its connection closed");
    member.child?.once("exit", (code, signal) => this.#died(member, signal ?? `exit code ${code}`));
    this.#signature = { inputs: signature.inputs, outputs: signature.outputs };
    this.#members.push(member);
    this.#live.push(member);
    this.#noneHealthySinceMs = null;
    this.#options.log.info({ variant: this.#options.variant, replica: member.record.id }, "replica ready");
    this.#options.onChange();
    this.#wakeWaiters();
  }

  #wakeWaiters(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.onLive();
  }

  #died(member: Member, how: string): void {
    if (!this.#members.includes(member)) return;
    this.#leave(member);
    member.link.close();
    killQuietly(member.record.pid);
    rmSync(member.record.socketPath, { force: true });
    if (member.draining || this.#stopped) return;
    this.#deathsAtMs = [...this.#deathsAtMs, Date.now()].slice(-DEATHS_MAX);
    this.#lastDeath = how;
    if (Date.now() - member.sinceMs > SETTLED_MS) this.#failuresInARow = 0;
    this.#options.log.warn({ variant: this.#options.variant, replica: member.record.id, how }, "replica died");
    this.#options.onChange();
    this.#restartLater();
  }

  #leave(member: Member): void {
    this.#members = this.#members.filter((other) => other !== member);
    this.#live = this.#live.filter((other) => other !== member);
    if (this.#live.length === 0) this.#noneHealthySinceMs ??= Date.now();
  }

  #restartLater(): void {
    if (this.#retry !== null || this.#stopped) return;
    const delayMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** Math.max(0, this.#failuresInARow));
    this.#failuresInARow += 1;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.ensure();
    }, delayMs);
    this.#retry.unref();
  }

  /** Starts what is missing in the background, and goes on trying. */
  ensure(): void {
    if (this.#stopped) return;
    this.start().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      const code = error instanceof ContinuumError ? error.code : "internal";
      this.#lastDeath = reason;
      this.#noneHealthySinceMs ??= this.#live.length === 0 ? Date.now() : null;
      this.#options.log.warn({ variant: this.#options.variant, code, reason }, "replica could not be started");
      this.#options.onChange();
      this.#restartLater();
    });
  }

  /** Kills what is stuck or too large. What follows is `#died`. */
  async #look(): Promise<void> {
    if (this.#live.length === 0 && this.#noneHealthySinceMs !== null) this.#options.onChange();
    for (const member of [...this.#members]) {
      await this.#lookAtMemory(member);
      this.#lookAtHealth(member);
    }
  }

  async #lookAtMemory(member: Member): Promise<void> {
    member.rssBytes = (await rssBytes(member.record.pid)) ?? member.rssBytes;
    const limit = this.#options.size.memoryBytesMax;
    if (member.rssBytes === null || member.rssBytes <= limit) return;
    const used = Math.round(member.rssBytes / MEBIBYTE);
    this.#end(member, `using ${used} MiB of the ${Math.round(limit / MEBIBYTE)} MiB its size allows`);
  }

  #lookAtHealth(member: Member): void {
    if (member.pingSinceMs !== null) {
      const silentMs = Date.now() - member.pingSinceMs;
      if (silentMs > this.#options.healthMsMax) this.#end(member, `not answering a health check for ${silentMs} ms`);
      return;
    }
    member.pingSinceMs = Date.now();
    void member.link.ask(OP.ping, undefined, this.#options.healthMsMax * 2).then((answer) => {
      if (answer === null) return;
      member.pingSinceMs = null;
      if (process.platform === "linux") return;
      const report: unknown = JSON.parse(answer.toString("utf8"));
      if (typeof report === "object" && report !== null && "rssBytes" in report && typeof report.rssBytes === "number")
        member.rssBytes = report.rssBytes;
    });
  }

  #end(member: Member, how: string): void {
    killQuietly(member.record.pid);
    this.#died(member, how);
  }

  async #retire(member: Member, drainMsMax: number): Promise<void> {
    member.draining = true;
    this.#live = this.#live.filter((other) => other !== member);
    const until = Date.now() + drainMsMax;
    while (member.link.inFlight > 0 && !member.link.closed && Date.now() < until)
      await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS));
    member.link.stop();
    const gone = await goneWithin(member, 1000);
    if (!gone) killQuietly(member.record.pid);
    this.#died(member, "asked to stop");
  }
}

async function goneWithin(member: Member, millisecondsMax: number): Promise<boolean> {
  const until = Date.now() + millisecondsMax;
  while (!member.link.closed && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
  return member.link.closed;
}
