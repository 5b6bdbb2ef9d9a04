import { setTimeout as sleep } from "node:timers/promises";
import type { Rollout } from "../core/rollout/rollout.ts";
import { StoreError } from "../store/store-error.ts";
import { type Answer, AnswerCommits } from "./answer-commits.ts";
import { commit, type EventBody } from "./commit.ts";
import { type EngineParts, SYSTEM } from "./engine.ts";
import { Fenced } from "./engine-error.ts";
import { type Claim, heldJobs, type Job, releaseJobs, retryJob } from "./jobs.ts";
import { type Performed, perform } from "./perform.ts";
import { answerTo, isPoison, waitMs } from "./retry.ts";

/** A job, and its rollout where whoever claimed or made the job has just told it. */
interface Work {
  job: Job;
  rollout?: Rollout;
}

interface InFlight {
  job: Job;
  stop: AbortController;
}

export interface RunnerOptions {
  parts: EngineParts;
  host: string;
  /** Effects and checks at once; each may hold memory of a model or a connection to a target. */
  effectSlots: number;
  /** Watches at once; each is a poll four times a second. */
  watchSlots: number;
  /** A job was given back and is free again after so long. */
  onRetry(afterMs: number): void;
  /** There is a slot again: jobs that were left because there was none are not told of a second time. */
  onFree(): void;
}

/** Performs jobs in the name of one registered worker: each to its commit, and on to the job that follows. */
export class JobRunner {
  readonly worker: string;
  readonly #options: RunnerOptions;
  readonly #inFlight = new Map<number, InFlight>();
  readonly #runs = new Set<Promise<void>>();
  /** False once this worker stops or was taken for dead: it takes nothing any more. */
  #taking = true;
  readonly #answers: AnswerCommits;

  constructor(worker: string, options: RunnerOptions) {
    this.worker = worker;
    this.#options = options;
    this.#answers = new AnswerCommits(options.parts);
  }

  /** How many more jobs may be claimed. */
  freeSlots(): { effects: number; watches: number } {
    if (!this.#taking) return { effects: 0, watches: 0 };
    let watches = 0;
    for (const { job } of this.#inFlight.values()) if (job.command.type === "watch") watches += 1;
    const effects = this.#inFlight.size - watches;
    const { effectSlots, watchSlots } = this.#options;
    return { effects: Math.max(0, effectSlots - effects), watches: Math.max(0, watchSlots - watches) };
  }

  isBusy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** Performs the job and what follows from it; never throws. */
  run(work: Work): void {
    // Claimed while this worker was being stopped: it is handed back with the rest.
    if (!this.#taking) return;
    const run = this.#runChain(work).finally(() => {
      this.#runs.delete(run);
      this.#options.onFree();
    });
    this.#runs.add(run);
  }

  /** Stops what is not ours any more: a signal gave its rollout another course, or another worker has it. */
  async dropLost(filter: (job: Job) => boolean = () => true): Promise<void> {
    const looked = [...this.#inFlight.values()].filter(({ job }) => filter(job));
    if (looked.length === 0) return;
    const claims = looked.map(({ job }) => this.#claimOf(job));
    const held = await heldJobs(this.#options.parts.database, this.worker, claims);
    for (const { job, stop } of looked) {
      // By now it may have been committed, and the one that follows be under way: that is another entry.
      if (!held.has(job.id)) stop.abort(new Fenced());
    }
  }

  /**
   * Frees the jobs that stand in this worker's name and that it does not know of: the answer to their claim was lost
   * with a connection.
   */
  releaseUnknown(): Promise<number> {
    return releaseJobs(this.#options.parts.database, this.worker, [...this.#inFlight.keys()]);
  }

  /** Takes nothing new, lets effects finish for `graceMs`, and gives up the rest. Watches are given up at once. */
  async stop(graceMs: number): Promise<void> {
    this.#taking = false;
    for (const { job, stop } of this.#inFlight.values()) if (job.command.type === "watch") stop.abort(new Fenced());
    const finished = Promise.allSettled(this.#runs);
    await Promise.race([finished, sleep(graceMs, undefined, { ref: false })]);
    this.abandon();
  }

  /** Gives up everything now; whatever still ends afterwards is fenced. */
  abandon(): void {
    this.#taking = false;
    for (const { stop } of this.#inFlight.values()) stop.abort(new Fenced());
  }

  async #runChain(first: Work): Promise<void> {
    let work: Work | undefined = first;
    // A follow-up that was claimed while this worker was given up is freed with its other jobs, and is not begun.
    while (work !== undefined && this.#taking) {
      const stop = new AbortController();
      const { job }: Work = work;
      this.#inFlight.set(job.id, { job, stop });
      try {
        work = await this.#step(work, stop.signal);
      } catch (error) {
        work = undefined;
        if (!(error instanceof Fenced)) await this.#giveBack(job, error, stop.signal);
      } finally {
        this.#inFlight.delete(job.id);
      }
    }
  }

  async #step({ job, rollout }: Work, signal: AbortSignal): Promise<Work | undefined> {
    let performed: Performed;
    try {
      if (isPoison(job)) throw new Error(`it was begun ${job.attempts} times and never ended`);
      performed = await perform(this.#options.parts, { job, rollout }, signal);
    } catch (error) {
      signal.throwIfAborted();
      return this.#onError(job, error, signal);
    }
    return this.#commit(job, performed, signal);
  }

  async #onError(job: Job, error: unknown, signal: AbortSignal): Promise<Work | undefined> {
    if (error instanceof Fenced) throw error;
    const answer = isPoison(job) ? { do: "fail" as const, message: String(error) } : answerTo(error, job);
    this.#report(job, `command-${answer.do === "fail" ? "failed" : "repeated"}`, error);
    if (answer.do === "fail") {
      const event: EventBody = { type: "command-failed", command: job.command.type, message: answer.message };
      return this.#commit(job, { event }, signal);
    }
    const how = {
      afterMs: answer.do === "again" ? answer.afterMs : 0,
      error: error instanceof Error ? error.message : String(error),
      renewGeneration: answer.do === "renew",
    };
    const { database } = this.#options.parts;
    await this.#whileDatabaseIsAway(signal, () => retryJob(database, this.#claimOf(job), how));
    this.#options.onRetry(how.afterMs);
    return undefined;
  }

  /** A bug of ours: the job is free again after a while, and the rollout's deadline ends it when it never works. */
  async #giveBack(job: Job, error: unknown, signal: AbortSignal): Promise<void> {
    this.#report(job, "job-given-back", error);
    const how = { afterMs: waitMs(job), error: String(error), renewGeneration: false };
    const { database } = this.#options.parts;
    try {
      await this.#whileDatabaseIsAway(signal, () => retryJob(database, this.#claimOf(job), how));
      this.#options.onRetry(how.afterMs);
    } catch (failure) {
      if (!signal.aborted) this.#report(job, "job-abandoned", failure);
    }
  }

  async #commit(
    job: Job,
    { event, snapshotBytes, rollout }: Partial<Performed> & Pick<Performed, "event">,
    signal: AbortSignal,
  ): Promise<Work | undefined> {
    const { parts, host } = this.#options;
    const answer: Answer = {
      tenant: job.tenant,
      rolloutId: job.rollout,
      event,
      cause: `answer/${job.sequence}/${job.command.type}`,
      actor: SYSTEM,
      job: { ...this.#claimOf(job), sequence: job.sequence },
      snapshotBytes,
      claimFor: { id: this.worker, host, wants: (rollout) => this.#wantsNext(job, rollout) },
    };
    const committed = await this.#whileDatabaseIsAway(signal, () =>
      rollout === undefined ? commit(parts, answer) : this.#answers.commit(answer, rollout),
    );
    return committed.next && { job: committed.next, rollout: committed.rollout };
  }

  /** The slot of the job that ends now is free for the one that follows. */
  #wantsNext(ending: Job, { pending }: Rollout): boolean {
    if (!this.#taking || pending === null) return false;
    const { effects, watches } = this.freeSlots();
    const endingWatch = ending.command.type === "watch";
    if (pending.command.type === "watch") return watches + (endingWatch ? 1 : 0) > 0;
    return effects + (endingWatch ? 0 : 1) > 0;
  }

  /**
   * Tries again until the database is back or the job is not ours. A commit whose end was not seen may have happened:
   * then the job is gone, and trying again is fenced.
   */
  async #whileDatabaseIsAway<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof StoreError) || !error.retryable) throw error;
        // Told why it was aborted: that nobody wants it is no failure of ours.
        await sleep(250, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  }

  #claimOf(job: Job): Claim {
    return { id: job.id, worker: this.worker, attempts: job.attempts };
  }

  #report(job: Job, event: string, error: unknown): void {
    const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : undefined;
    this.#options.parts.log.warn(event, {
      tenant: job.tenant,
      rollout: job.rollout,
      sequence: job.sequence,
      command: job.command.type,
      generation: job.generation,
      attempts: job.attempts,
      worker: this.worker,
      ...(code === undefined ? {} : { code }),
      reason: error instanceof Error ? error.message : String(error),
    });
  }
}
