import { tell } from "../engine/commit.ts";
import type { CommittedEvent } from "../engine/engine.ts";
import { changeEvidence, type EvidenceChange } from "../engine/evidence-change.ts";
import type { Transaction } from "../store/database.ts";
import type { ServiceParts } from "./handler.ts";

export type TrustChange = Omit<EvidenceChange, "subjects"> & {
  /** What the change may touch, asked in its transaction; null when that could be anything. */
  subjects(tx: Transaction): Promise<readonly string[] | null>;
};

/** Changes evidence or trust in one transaction, in which what waited for approval on it is superseded. */
export async function changeTrust<Done>(
  parts: ServiceParts,
  change: TrustChange,
  apply: (tx: Transaction) => Promise<Done>,
): Promise<Done> {
  const facts: CommittedEvent[] = [];
  const done = await parts.database.transaction(async (tx) => {
    // The transaction may run again; what an attempt that was rolled back did is not to be told.
    facts.length = 0;
    const subjects = await change.subjects(tx);
    return changeEvidence(tx, parts, { ...change, subjects }, () => apply(tx), facts);
  });
  for (const fact of facts) tell(parts, fact);
  return done;
}
