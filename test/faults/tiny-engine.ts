import { advance } from "../../src/core/rollout/advance.ts";
import { holdsSlot, isTerminal } from "../../src/core/rollout/phases.ts";
import type { Admission, Command, Rollout, RolloutEvent } from "../../src/core/rollout/rollout.ts";

export interface Job {
  /** `rollout/sequence/command`: the key of its effects and the cause of its answer. */
  key: string;
  rollout: string;
  command: Command;
  generation: number;
  /** Rises with every claim; an answer from an earlier claim is fenced. */
  claims: number;
  worker: string | null;
}

export interface StoredEvent {
  sequence: number;
  cause: string;
  event: RolloutEvent;
}

export type Committed = "applied" | "known" | "fenced" | "refused";

export interface Sabotage {
  /** The target takes effects of any generation. */
  generations?: true;
  /** An answer is taken whoever holds the job, and for a job that is gone. */
  fence?: true;
  /** Jobs are queued outside the transaction that orders them, and now and then one is lost. */
  queue?: true;
}

/**
 * The engine's rules without its database: what one PostgreSQL transaction does is one synchronous method here, so it
 * happens in full or not at all. State, events and jobs change together.
 */
export class TinyEngine {
  readonly rollouts = new Map<string, Rollout>();
  /** As they were before their first event, for replay. */
  readonly founded = new Map<string, Rollout>();
  readonly events = new Map<string, StoredEvent[]>();
  readonly jobs = new Map<string, Job>();
  readonly snapshots = new Map<string, Uint8Array>();
  readonly issuedKeys = new Set<string>();
  generation = 0;
  private readonly admit: (rollout: Rollout) => Admission;
  private readonly sabotage: Sabotage;

  constructor(parts: { admit: (rollout: Rollout) => Admission; sabotage: Sabotage }) {
    this.admit = parts.admit;
    this.sabotage = parts.sabotage;
  }

  rollout(id: string): Rollout {
    const found = this.rollouts.get(id);
    if (found === undefined) throw new Error(`no rollout ${id}`);
    return found;
  }

  found(rollout: Rollout): void {
    this.rollouts.set(rollout.id, rollout);
    this.founded.set(rollout.id, rollout);
    this.events.set(rollout.id, []);
  }

  /** `claim` is what the worker holds of the job it answers; signals have none. */
  commit(
    id: string,
    happening: { event: RolloutEvent; cause: string; claim?: { key: string; claims: number } },
  ): Committed {
    const events = this.events.get(id) ?? [];
    const { event, cause, claim } = happening;
    if (events.some((stored) => stored.cause === cause)) return "known";
    if (claim !== undefined && !this.sabotage.fence && this.jobs.get(claim.key)?.claims !== claim.claims)
      return "fenced";
    const before = this.rollout(id);
    const { rollout, accepted } = advance(before, event);
    if (!accepted) return "refused";
    this.rollouts.set(id, rollout);
    events.push({ sequence: rollout.sequence, cause, event });
    this.syncJob(rollout);
    if (holdsSlot(before) && !holdsSlot(rollout)) this.dequeue(rollout, event.atMs);
    return "applied";
  }

  holder(of: Rollout): Rollout | undefined {
    return this.onEndpoint(of).find(holdsSlot);
  }

  claim(worker: string, pick: (free: Job[]) => Job): Job | undefined {
    const free = [...this.jobs.values()].filter((job) => job.worker === null);
    if (free.length === 0) return undefined;
    const job = pick(free);
    job.worker = worker;
    job.claims += 1;
    return { ...job };
  }

  owns(claimed: Job): boolean {
    return this.jobs.get(claimed.key)?.claims === claimed.claims;
  }

  /** The reaper's part: what a worker held is free for others. */
  release(worker: string): void {
    for (const job of this.jobs.values()) if (job.worker === worker) job.worker = null;
  }

  /** The outstanding command is the rollout's only job; one that was replaced is gone. */
  private syncJob({ id, pending }: Rollout): void {
    const key = pending === null ? null : `${id}/${pending.sequence}/${pending.command.type}`;
    for (const job of this.jobs.values()) if (job.rollout === id && job.key !== key) this.jobs.delete(job.key);
    if (pending === null || key === null || this.jobs.has(key)) return;
    this.generation += 1;
    this.issuedKeys.add(key);
    if (this.sabotage.queue && this.generation % 20 === 0) return;
    this.jobs.set(key, {
      key,
      rollout: id,
      command: pending.command,
      generation: this.generation,
      claims: 0,
      worker: null,
    });
  }

  private dequeue(left: Rollout, atMs: number): void {
    for (const waiting of this.onEndpoint(left).filter(({ phase }) => phase === "Queued")) {
      if (this.holder(left) !== undefined) return;
      const event: RolloutEvent = { type: "dequeued", admission: this.admit(waiting), atMs };
      this.commit(waiting.id, { event, cause: `slot left by ${left.id}` });
    }
  }

  private onEndpoint({ endpoint }: Rollout): Rollout[] {
    return [...this.rollouts.values()].filter((rollout) => rollout.endpoint.name === endpoint.name);
  }

  allEnded(): boolean {
    return [...this.rollouts.values()].every(({ phase }) => isTerminal(phase));
  }
}
