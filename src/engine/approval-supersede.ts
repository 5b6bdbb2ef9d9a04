import type { SupersedingProblem } from "../core/approval/rollout-consent.ts";
import type { Transaction } from "../store/database.ts";
import { waitingUnderOtherPolicy, waitingWithApprovals } from "../store/queries/approvals.ts";
import { verifyStoredApprovals } from "./approval-check.ts";
import { applyEvent } from "./commit.ts";
import type { Actor, CommittedEvent, EngineParts } from "./engine.ts";
import { loadRollout } from "./rollout-rows.ts";

export interface Superseding {
  tenant: string;
  /** Who changed what the approvals were about. */
  actor: Actor;
}

/**
 * Ends what waits for people and was decided under another policy than the one in force now. Called in the transaction
 * that changes the policy, after the change; `facts` is for `tell` once that is through. Answers how many ended.
 */
export async function supersedeOtherPolicies(
  tx: Transaction,
  parts: EngineParts,
  change: Superseding & { policyDigest: string },
  facts: CommittedEvent[] = [],
): Promise<number> {
  const waiting = await waitingUnderOtherPolicy(tx, change.tenant, change.policyDigest);
  for (const rolloutId of waiting) {
    await supersede(tx, parts, { ...change, rolloutId, why: "policy", cause: `policy/${change.policyDigest}` }, facts);
  }
  return waiting.length;
}

/**
 * Ends what waits for people where an approval that was given bound evidence that does not count any more. Called in
 * the transaction that removed, replaced or revoked it, or revoked who signed it, after the change.
 */
export async function supersedeChangedEvidence(
  tx: Transaction,
  parts: EngineParts,
  change: Superseding,
  facts: CommittedEvent[] = [],
): Promise<number> {
  let ended = 0;
  for (const rolloutId of await waitingWithApprovals(tx, change.tenant)) {
    const rollout = await loadRollout(tx, { tenant: change.tenant, rolloutId });
    if (rollout === undefined) continue;
    const { problems } = await verifyStoredApprovals(tx, parts, rollout);
    if (!problems.some(({ superseding }) => superseding === "evidence")) continue;
    await supersede(tx, parts, { ...change, rolloutId, why: "evidence", cause: "evidence-changed" }, facts);
    ended += 1;
  }
  return ended;
}

async function supersede(
  tx: Transaction,
  parts: EngineParts,
  change: Superseding & { rolloutId: string; why: SupersedingProblem["why"]; cause: string },
  facts: CommittedEvent[],
): Promise<void> {
  const { tenant, rolloutId, actor, why } = change;
  const event = { type: "superseded" as const, by: actor.id, why };
  await applyEvent(tx, parts, { tenant, rolloutId, event, cause: `superseded/${change.cause}`, actor }, facts);
}
