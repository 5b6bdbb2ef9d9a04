import { advance } from "../core/rollout/advance.ts";
import { holdsSlot, isTerminal } from "../core/rollout/phases.ts";
import type { Rollout, RolloutEvent } from "../core/rollout/rollout.ts";
import type { Transaction } from "../store/database.ts";
import { lockEndpoint } from "../store/queries/endpoints.ts";
import { admit } from "./admission.ts";
import { auditFactOf } from "./audit-fact.ts";
import { appendAudit, ROLLOUT_ENDED } from "./audit-log.ts";
import { recordSnapshot, recordSuccess } from "./endpoint-rows.ts";
import { type Actor, type CommittedEvent, type EngineParts, SYSTEM } from "./engine.ts";
import { EngineError, Fenced } from "./engine-error.ts";
import { type Claim, deleteObsoleteJobs, finishJob, insertJob, type Job } from "./jobs.ts";
import { isKnownCause, lockRollout, saveRollout } from "./rollout-rows.ts";

type WithoutTime<Event> = Event extends unknown ? Omit<Event, "atMs"> : never;
/** An event as its sender knows it; the engine stamps the time. */
export type EventBody = WithoutTime<RolloutEvent>;

export interface Change {
  tenant: string;
  rolloutId: string;
  /** A function when the event must be decided while nobody else can change the rollout, such as an admission. */
  event: EventBody | ((tx: Transaction, rollout: Rollout) => Promise<EventBody>);
  /** What brings it about, unique in the rollout: the same cause is never applied twice. */
  cause: string;
  actor: Actor;
  /** The job that this event answers. Without one it is a signal. */
  job?: (Claim & { sequence: number }) | undefined;
  /** What a `snapshot-taken` event is about. */
  snapshotBytes?: Uint8Array | undefined;
  /** Claims the job that follows in the name of this worker, when it may and wants to take it. */
  claimFor?: { id: string; host: string; wants(rollout: Rollout): boolean } | undefined;
}

export interface Committed {
  rollout: Rollout;
  /** False when the reducer refused the event; nothing was changed then. */
  accepted: boolean;
  /** One sentence; null when accepted. */
  refusal: string | null;
  /** True when the cause had been applied before; `rollout` is as it is now. */
  repeated: boolean;
  /** The job that follows, claimed for `claimFor`. */
  next: Job | undefined;
}

/**
 * The engine's one way of changing a rollout: its state, the event, the audit entry, and the jobs that follow or fall
 * away, in one transaction. Throws `Fenced` when `job` is not its worker's any more, `no-such-rollout`, and
 * `database-unavailable` (whether it happened is unknown then; asking again with the same cause is safe).
 */
export async function commit(parts: EngineParts, change: Change): Promise<Committed> {
  const facts: CommittedEvent[] = [];
  const committed = await parts.database.transaction((tx) => {
    // The transaction may run again; what an attempt that was rolled back did is not to be told.
    facts.length = 0;
    return applyEvent(tx, parts, change, facts);
  });
  for (const fact of facts) tell(parts, fact);
  return committed;
}

/** A person, a monitor or the clock says something to a rollout. */
export function signal(
  parts: EngineParts,
  change: Pick<Change, "tenant" | "rolloutId" | "event" | "actor" | "cause">,
): Promise<Committed> {
  return commit(parts, change);
}

/** Logs and counts what is in the database now; never throws. Whoever calls `applyEvent` itself calls this after its commit. */
export function tell(parts: EngineParts, fact: CommittedEvent): void {
  const { id, tenant, phase, sequence } = fact.after;
  if (fact.before.phase !== phase) parts.log.info("rollout-phase", { tenant, rollout: id, phase, sequence });
  if (isTerminal(phase) && !isTerminal(fact.before.phase))
    parts.database.tell([{ channel: ROLLOUT_ENDED, payload: tenant, patient: true }]);
  try {
    parts.onCommitted?.(fact);
  } catch (error) {
    // It has happened: whoever asked for it must hear so, and the other answers must not fall with a count.
    parts.log.error("commit-not-counted", { tenant, rollout: id, sequence, reason: String(error) });
  }
}

/**
 * `commit` within the caller's transaction. Locks are taken in this order: rollouts, the endpoint, its queue, then the
 * environment. `facts` collects what `tell` is to be called with once the transaction is through.
 */
export async function applyEvent(
  tx: Transaction,
  parts: EngineParts,
  change: Change,
  facts: CommittedEvent[] = [],
): Promise<Committed> {
  const { job } = change;
  // Sent together and run in this order: after the rollout's lock, never before, for a signal takes the two so as well.
  const [before, seen] = await Promise.all([
    lockRollout(tx, change),
    job === undefined ? isKnownCause(tx, change) : finishJob(tx, job),
  ]);
  if (before === undefined) throw new EngineError("no-such-rollout", `There is no rollout ${change.rolloutId}.`);
  if (job !== undefined && !seen) throw new Fenced();
  if (job === undefined && seen)
    return { rollout: before, accepted: true, refusal: null, repeated: true, next: undefined };
  const body = typeof change.event === "function" ? await change.event(tx, before) : change.event;
  const event: RolloutEvent = { ...body, atMs: parts.nowMs() };
  const { rollout, accepted, refusal } = advance(before, event);
  if (!accepted) {
    if (job !== undefined && before.pending?.sequence === job.sequence) {
      throw new Error(`broken invariant: ${event.type} is no answer to what is outstanding: ${refusal}`);
    }
    return { rollout: before, accepted, refusal: refusal ?? "refused", repeated: false, next: undefined };
  }
  if (rollout.phase === "Succeeded") await recordSuccess(tx, rollout, parts.nowMs());
  // A pause gives up what was just taken; it is taken again by whoever resumes.
  if (event.type === "snapshot-taken" && rollout.snapshot !== null) {
    await recordSnapshot(tx, rollout, { bytes: change.snapshotBytes, host: change.claimFor?.host });
  }
  const [, , next] = await Promise.all([
    saveRollout(tx, { rollout, event, actor: change.actor.id, cause: change.cause }),
    appendAudit(tx, auditFactOf({ before, after: rollout, event, actor: change.actor })),
    replaceJobs(tx, { before, after: rollout, answered: job?.sequence }, change.claimFor),
  ]);
  facts.push({ before, after: rollout, event: event.type });
  // Whoever performs a command of the rollout hears that it may have another course.
  if (job === undefined) tx.notify("rollout_signals", `${rollout.tenant}/${rollout.id}/${rollout.sequence}`);
  if (holdsSlot(before) && !holdsSlot(rollout)) await dequeueNext(tx, parts, rollout, facts);
  return { rollout, accepted, refusal: null, repeated: false, next };
}

/**
 * At most one command is outstanding: what was so before and is no more falls away, unless it was `answered` and is
 * finished, and what is new becomes a job.
 */
async function replaceJobs(
  tx: Transaction,
  { before, after, answered }: { before: Rollout; after: Rollout; answered: number | undefined },
  claimFor: Change["claimFor"],
): Promise<Job | undefined> {
  if (before.pending?.sequence === after.pending?.sequence) return undefined;
  const worker = claimFor?.wants(after) ? { id: claimFor.id, host: claimFor.host } : undefined;
  const { pending } = after;
  const [, next] = await Promise.all([
    before.pending === null || answered === before.pending.sequence ? undefined : deleteObsoleteJobs(tx, after),
    pending === null ? undefined : insertJob(tx, { rollout: after, command: pending.command, worker }),
  ]);
  return next;
}

/**
 * Gives a free slot to the rollout that waits for it longest. One whose plan is refused now, because the world moved
 * while it waited, ends, and the next is asked.
 */
export async function dequeueNext(
  tx: Transaction,
  parts: EngineParts,
  slot: Pick<Rollout, "tenant" | "endpoint">,
  facts: CommittedEvent[],
): Promise<void> {
  // Whoever queues a rollout holds this lock while looking at the slot, so none can miss that it became free.
  await lockEndpoint(tx, { tenant: slot.tenant, ...slot.endpoint });
  for (;;) {
    const rolloutId = await oldestQueued(tx, slot);
    if (rolloutId === undefined) return;
    const { rollout, accepted } = await applyEvent(
      tx,
      parts,
      {
        tenant: slot.tenant,
        rolloutId,
        event: async (inner, queued) => ({ type: "dequeued", admission: await admit(inner, parts, queued) }),
        cause: "dequeued",
        actor: SYSTEM,
      },
      facts,
    );
    if (!accepted || holdsSlot(rollout)) return;
  }
}

async function oldestQueued(
  tx: Transaction,
  { tenant, endpoint }: Pick<Rollout, "tenant" | "endpoint">,
): Promise<string | undefined> {
  const { rows } = await tx.query<{ id: string }>(
    `SELECT id FROM rollouts WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND NOT terminal
       AND phase = 'Queued'
     ORDER BY created_at, id LIMIT 1 FOR UPDATE`,
    [tenant, endpoint.environment, endpoint.target, endpoint.name],
  );
  return rows[0]?.id;
}
