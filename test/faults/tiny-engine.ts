import { holdsSlot, isTerminal } from "../../src/core/rollout/phases.ts";
import type { Admission, Command, Rollout, RolloutEvent } from "../../src/core/rollout/rollout.ts";
import type { VersionSpec } from "../../src/drivers/target/target.ts";
import { type AdvanceFunction, type Mutant, mutatedAdvance } from "./mutants.ts";
import { versionOf } from "./version-of.ts";

export interface Job {
  /** `rollout/sequence/command`: the key of its effects and the cause of its answer. */
  key: string;
  rollout: string;
  command: Command;
  generation: number;
  /** The rollout as whoever claimed the job found it: an answer is reckoned from that when nothing came between. */
  known: Rollout;
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

/** The database is down: nothing was read, nothing was written. */
export class DatabaseAway extends Error {}

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
  /** What each endpoint should serve: the version of the rollout that succeeded last. */
  readonly desired = new Map<string, VersionSpec>();
  readonly advance: AdvanceFunction;
  generation = 0;
  /** While true nothing can be read or written. */
  down = false;
  private readonly admit: (rollout: Rollout) => Admission;
  private readonly slotMissed: () => boolean;
  private readonly mutant: Mutant | undefined;

  constructor(parts: {
    admit: (rollout: Rollout) => Admission;
    /** Whether a success does not see who waits for its slot. */
    slotMissed: () => boolean;
    mutant: Mutant | undefined;
  }) {
    this.admit = parts.admit;
    this.slotMissed = parts.slotMissed;
    this.mutant = parts.mutant;
    this.advance = mutatedAdvance(parts.mutant);
  }

  rollout(id: string): Rollout {
    const found = this.rollouts.get(id);
    if (found === undefined) throw new Error(`no rollout ${id}`);
    return found;
  }

  found(rollout: Rollout): void {
    this.beUp();
    this.rollouts.set(rollout.id, rollout);
    this.founded.set(rollout.id, rollout);
    this.events.set(rollout.id, []);
  }

  /** `claim` is what the worker holds of the job it answers; signals have none. */
  commit(
    id: string,
    happening: { event: RolloutEvent; cause: string; claim?: Pick<Job, "key" | "claims" | "known"> },
  ): Committed {
    this.beUp();
    const events = this.events.get(id) ?? [];
    const { event, cause, claim } = happening;
    if (this.mutant !== "cause-twice" && events.some((stored) => stored.cause === cause)) return "known";
    if (claim !== undefined && this.mutant !== "no-fence" && this.jobs.get(claim.key)?.claims !== claim.claims)
      return "fenced";
    const now = this.rollout(id);
    const unchanged = claim?.known.sequence === now.sequence || this.mutant === "lost-update";
    const before = claim !== undefined && unchanged ? claim.known : now;
    const { rollout, accepted } = this.advance(before, event);
    if (!accepted) return "refused";
    this.rollouts.set(id, rollout);
    if (this.mutant !== "state-without-event" || this.generation % 20 !== 19)
      events.push({ sequence: rollout.sequence, cause, event });
    if (rollout.phase === "Succeeded") this.desired.set(rollout.endpoint.name, versionOf(rollout));
    this.syncJob(rollout);
    if (holdsSlot(before) && !holdsSlot(rollout) && !this.leavesSlotToSweep(rollout)) this.dequeue(rollout, event.atMs);
    return "applied";
  }

  holder(of: Rollout): Rollout | undefined {
    return this.onEndpoint(of).find(holdsSlot);
  }

  /** Whether another rollout holds the endpoint, as an admission sees it. */
  slotTaken(rollout: Rollout): boolean {
    return this.mutant !== "slot-unwatched" && this.holder(rollout) !== undefined;
  }

  claim(worker: string, pick: (free: Job[]) => Job): Job | undefined {
    this.beUp();
    const free = [...this.jobs.values()].filter((job) => job.worker === null);
    if (free.length === 0) return undefined;
    const job = pick(free);
    job.worker = worker;
    job.claims += 1;
    job.known = this.rollout(job.rollout);
    return { ...job };
  }

  /** The safety net: free slots for which somebody waits, because whoever freed them could not see him or died. */
  sweep(atMs: number): void {
    this.beUp();
    if (this.mutant === "queue-forgotten") return;
    for (const rollout of [...this.rollouts.values()])
      if (rollout.phase === "Queued" && this.holder(rollout) === undefined) this.dequeue(rollout, atMs);
  }

  /**
   * A success is stored without the locks that show who queues at that moment; the slot is given away after that, by a
   * worker that may die first.
   */
  private leavesSlotToSweep({ phase }: Rollout): boolean {
    return this.mutant === "queue-forgotten" || (phase === "Succeeded" && this.slotMissed());
  }

  /** A job that somebody holds, as a queue hands it out that delivers twice. */
  heldJob(pick: (held: Job[]) => Job): Job | undefined {
    const held = [...this.jobs.values()].filter((job) => job.worker !== null);
    return held.length === 0 ? undefined : { ...pick(held) };
  }

  owns(claimed: Job): boolean {
    this.beUp();
    return this.jobs.get(claimed.key)?.claims === claimed.claims;
  }

  /** The reaper's part: what a worker held is free for others. */
  release(worker: string): void {
    for (const job of this.jobs.values()) if (job.worker === worker) job.worker = null;
  }

  /** After its fall the database knows no session any more: every worker's jobs are free. */
  restart(): void {
    this.down = false;
    for (const job of this.jobs.values()) job.worker = null;
  }

  private beUp(): void {
    if (this.down) throw new DatabaseAway("the database is away");
  }

  /** The outstanding command is the rollout's only job; one that was replaced is gone. */
  private syncJob({ id, pending }: Rollout): void {
    const key = pending === null ? null : `${id}/${pending.sequence}/${pending.command.type}`;
    const obsolete = [...this.jobs.values()].filter((job) => job.rollout === id && job.key !== key);
    if (this.mutant !== "obsolete-job-kept") for (const job of obsolete) this.jobs.delete(job.key);
    if (pending === null || key === null || this.jobs.has(key)) return;
    this.generation += 1;
    this.issuedKeys.add(key);
    if (this.mutant === "job-lost" && this.generation % 20 === 0) return;
    this.jobs.set(key, {
      key,
      rollout: id,
      command: pending.command,
      generation: this.generation,
      known: this.rollout(id),
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
