import type { Rollout } from "../core/rollout/rollout.ts";
import type { Transaction } from "../store/database.ts";
import { lockWaitingOn } from "../store/queries/evidence.ts";
import { applyEvent } from "./commit.ts";
import type { Actor, CommittedEvent, EngineParts } from "./engine.ts";
import type { CountingPiece } from "./evidence-pieces.ts";
import { countingEvidence } from "./evidence-set.ts";

export interface EvidenceChange {
  tenant: string;
  /** What the changed evidence is about; null for a change that may touch any. */
  subjects: readonly string[] | null;
  actor: Actor;
  /** Names the change, unique: the same is never applied twice to a rollout. */
  cause: string;
}

/**
 * Changes what a tenant's evidence or trust is, and ends what waits for approval on a piece that no longer counts
 * after it: whoever looked at it, or would, saw something else. Evidence that is only added ends nothing. Takes the
 * locks of the rollouts first, as every change of them does. `facts` collects what `tell` is to be called with.
 */
export async function changeEvidence<Done>(
  tx: Transaction,
  parts: EngineParts,
  change: EvidenceChange,
  apply: () => Promise<Done>,
  facts: CommittedEvent[],
): Promise<Done> {
  const waiting = await lockWaitingOn(tx, change.tenant, change.subjects);
  const before = await countingOf(tx, parts, waiting);
  const done = await apply();
  const after = await countingOf(tx, parts, waiting);
  for (const [index, rollout] of waiting.entries()) {
    const left = new Set(after[index]?.map(({ digest }) => digest));
    if (before[index]?.every(({ digest }) => left.has(digest))) continue;
    const event = { type: "superseded" as const, by: change.actor.id, why: "evidence" as const };
    const { tenant, cause, actor } = change;
    await applyEvent(tx, parts, { tenant, rolloutId: rollout.id, event, cause, actor }, facts);
  }
  return done;
}

async function countingOf(
  tx: Transaction,
  parts: EngineParts,
  rollouts: readonly Rollout[],
): Promise<CountingPiece[][]> {
  const counting: CountingPiece[][] = [];
  for (const { tenant, plan, planDigest, restores } of rollouts) {
    const about = { tenant, plan, planDigest, restores: restores !== undefined };
    counting.push(await countingEvidence(tx, parts, about));
  }
  return counting;
}
