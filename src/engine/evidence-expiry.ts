import type { Rollout } from "../core/rollout/rollout.ts";
import { openApproved } from "../store/queries/evidence.ts";
import { verifyStoredApprovals } from "./approval-check.ts";
import { signal } from "./commit.ts";
import { type EngineParts, SYSTEM } from "./engine.ts";

/**
 * Time takes evidence away without anybody doing anything: it grows too old, a signer's trust ends. Ends the rollouts
 * that still wait for approvals while one was given on a piece that counts no more. Answers how many ended.
 */
export async function supersedeOutdated(parts: EngineParts): Promise<number> {
  let ended = 0;
  for (const rollout of await openApproved(parts.database)) {
    try {
      if (await supersede(parts, rollout)) ended += 1;
    } catch (error) {
      if (error instanceof MovedOn) continue;
      // One rollout that cannot be judged must not keep the others waiting.
      const { tenant, id } = rollout;
      parts.log.error("evidence-not-judged", { tenant, rollout: id, reason: String(error) });
    }
  }
  return ended;
}

async function supersede(parts: EngineParts, rollout: Rollout): Promise<boolean> {
  const { tenant, id: rolloutId, sequence } = rollout;
  const { problems } = await verifyStoredApprovals(parts.database, parts, rollout);
  if (!problems.some(({ superseding }) => superseding === "evidence")) return false;
  const { accepted } = await signal(parts, {
    ...{ tenant, rolloutId, cause: `evidence-outdated/${sequence}`, actor: SYSTEM },
    event: async (_, locked) => {
      // Whoever changed the rollout since has looked for themselves, and may have let it go on.
      if (locked.sequence !== sequence) throw new MovedOn();
      return { type: "superseded", by: SYSTEM.id, why: "evidence" };
    },
  });
  return accepted;
}

class MovedOn extends Error {}
