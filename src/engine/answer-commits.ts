import { setImmediate as nextTurn } from "node:timers/promises";
import { advance } from "../core/rollout/advance.ts";
import { isTerminal } from "../core/rollout/phases.ts";
import type { Rollout, RolloutEvent } from "../core/rollout/rollout.ts";
import type { Result } from "../store/database.ts";
import type { Notice } from "../store/notifier.ts";
import { StoreError } from "../store/store-error.ts";
import { type AnswerRow, type AnswerStep, answerStatement, fitsStatement } from "./answer-statement.ts";
import { auditFactOf } from "./audit-fact.ts";
import { auditRowOf } from "./audit-log.ts";
import { type Change, type Committed, commit, type EventBody, tell } from "./commit.ts";
import type { EngineParts } from "./engine.ts";
import type { Job } from "./jobs.ts";
import { dequeueAt } from "./queue.ts";

/** What was found out by performing a job. */
export interface Answer extends Change {
  event: EventBody;
  job: NonNullable<Change["job"]>;
}

interface Waiting {
  answer: Answer;
  before: Rollout;
  resolve(committed: Committed | Promise<Committed>): void;
  reject(error: unknown): void;
}

/** Larger batches save little more, and all of one wait for the last. */
const BATCH_MAX = 16;

/**
 * Commits what a worker found out, each answer as one statement, and all that came while the last ones were being
 * written in one exchange and one write to the disk. An answer whose rollout has moved, whose rows somebody holds, or
 * that frees the endpoint for another rollout goes the long way, through `commit`, and keeps nobody waiting.
 */
export class AnswerCommits {
  readonly #parts: EngineParts;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** `before` is the rollout as the performing worker knows it. Throws what `commit` throws. */
  commit(answer: Answer, before: Rollout): Promise<Committed> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ answer, before, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Those that were answered together go on together.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_MAX);
      try {
        await this.#store(batch);
      } catch (error) {
        // A bug of ours: those that were answered before it keep their answer, and those that wait get their turn.
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }

  /** Each of them hears for itself. */
  async #store(batch: readonly Waiting[]): Promise<void> {
    const ready = batch.flatMap((waiting) => {
      const step = this.#stepOf(waiting);
      return step === undefined ? [] : [{ waiting, step }];
    });
    if (ready.length === 0) return;
    let results: Result<AnswerRow>[];
    try {
      results = await this.#parts.database.together<AnswerRow>(ready.map(({ step }) => answerStatement(step)));
    } catch (error) {
      const unknown = error instanceof StoreError && error.retryable;
      // One that cannot be stored must not keep back those it was sent with.
      for (const { waiting } of ready) unknown ? waiting.reject(error) : this.#goLongWay(waiting);
      return;
    }
    const stored = ready.flatMap(({ waiting, step }, index) => {
      const row = results[index]?.rows[0];
      if (row === undefined) this.#goLongWay(waiting);
      return row === undefined ? [] : [{ waiting, step, row }];
    });
    for (const { waiting, step, row } of stored) {
      waiting.resolve({
        ...{ rollout: step.after, accepted: true, refusal: null, repeated: false },
        next: jobOf(step, row),
      });
    }
    this.#parts.database.tell(stored.flatMap(({ step, row }) => noticesOf(step, row)));
    for (const { step } of stored)
      tell(this.#parts, { before: step.before, after: step.after, event: step.event.type });
    // It waits for locks, and the answers that came meanwhile must not wait with it.
    void this.#giveSlots(stored.map(({ step }) => step.after));
  }

  /** Undefined when it is answered otherwise. */
  #stepOf(waiting: Waiting): AnswerStep | undefined {
    const { answer, before } = waiting;
    try {
      const event: RolloutEvent = { ...answer.event, atMs: this.#parts.nowMs() };
      const { rollout: after, accepted } = advance(before, event);
      const wanted = accepted && answer.claimFor?.wants(after) === true;
      const { job, cause, actor, snapshotBytes } = answer;
      const step: AnswerStep = {
        ...{ before, after, event, cause, job, snapshotBytes, actor: actor.id },
        audit: auditRowOf(auditFactOf({ before, after, event, actor })),
        claimFor: wanted && answer.claimFor !== undefined ? answer.claimFor : null,
      };
      if (accepted && fitsStatement(step)) return step;
      this.#goLongWay(waiting);
    } catch (error) {
      waiting.reject(error);
    }
    return undefined;
  }

  #goLongWay({ answer, resolve }: Waiting): void {
    resolve(commit(this.#parts, answer));
  }

  /** Somebody may have queued a rollout at the moment in which the one that held the slot succeeded. Never throws. */
  async #giveSlots(after: readonly Rollout[]): Promise<void> {
    const freed = after.filter(({ phase, dryRun }) => isTerminal(phase) && !dryRun);
    if (freed.length === 0) return;
    try {
      await dequeueAt(this.#parts, freed);
    } catch (error) {
      // The sweep over forgotten queues finds it.
      this.#parts.log.warn("dequeue-failed", { reason: String(error) });
    }
  }
}

function noticesOf({ after }: AnswerStep, row: AnswerRow): Notice[] {
  const payload = `${after.tenant}/${after.id}/${after.sequence}`;
  const told: Notice[] = [{ channel: "rollout_events", payload, patient: true }];
  if (row.claimed === false) told.push({ channel: "jobs", payload: "" });
  return told;
}

function jobOf({ after }: AnswerStep, { id, generation, claimed }: AnswerRow): Job | undefined {
  if (id === null || generation === null || claimed !== true || after.pending === null) return undefined;
  const { tenant, id: rollout, sequence, pending } = after;
  return { id, tenant, rollout, sequence, command: pending.command, generation, attempts: 1, failures: 0 };
}
