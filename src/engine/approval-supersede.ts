import type { Transaction } from "../store/database.ts";
import { waitingUnderOtherPolicy } from "../store/queries/approvals.ts";
import { applyEvent } from "./commit.ts";
import type { Actor, CommittedEvent, EngineParts } from "./engine.ts";

export interface Superseding {
  tenant: string;
  /** Who changed what the approvals were about. */
  actor: Actor;
}

/**
 * Ends what waits for people and was decided under another policy than the one in force now. Best in a transaction of its
 * own after the change has committed: it locks rollouts, which whoever approves locks before the policy. Until it has run
 * nothing of an old policy can be approved either. `facts` is for `tell` afterwards. Answers how many ended.
 */
export async function supersedeOtherPolicies(
  tx: Transaction,
  parts: EngineParts,
  change: Superseding & { policyDigest: string },
  facts: CommittedEvent[] = [],
): Promise<number> {
  const { tenant, actor, policyDigest } = change;
  const waiting = await waitingUnderOtherPolicy(tx, tenant, policyDigest);
  const event = { type: "superseded" as const, by: actor.id, why: "policy" as const };
  for (const rolloutId of waiting) {
    await applyEvent(tx, parts, { tenant, rolloutId, event, cause: `superseded/policy/${policyDigest}`, actor }, facts);
  }
  return waiting.length;
}
