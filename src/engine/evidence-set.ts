import { canonicalPlan } from "../core/plan/canonical.ts";
import type { Plan } from "../core/plan/schema.ts";
import type { Queryable } from "../store/database.ts";
import type { EngineParts } from "./engine.ts";
import { type CountingPiece, gatherPieces } from "./evidence-pieces.ts";

/**
 * The stored pieces of evidence that count for a plan now, verified now: what an approval binds. A piece that is
 * revoked, too old, replaced by a newer one of its kind, or whose signer is no longer trusted is not among them.
 */
export async function countingEvidence(
  db: Queryable,
  parts: Pick<EngineParts, "nowMs" | "signatures">,
  about: { tenant: string; plan: Plan; planDigest: string; restores?: boolean },
): Promise<CountingPiece[]> {
  return (await gatherPieces(db, parts, { ...about, message: canonicalPlan(about.plan) })).counting;
}
