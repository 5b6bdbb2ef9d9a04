import { signal } from "./commit.ts";
import { type EngineParts, SYSTEM } from "./engine.ts";

const BATCH = 100;

/**
 * Tells the rollouts whose time has come that it has: an expiry, a deadline. The column `wake_at` is the timer: it is
 * written with the state, so none is ever lost or left over. Answers in how many milliseconds the next one is due,
 * undefined when none is set.
 */
export async function tickDue(parts: EngineParts): Promise<number | undefined> {
  const { rows } = await parts.database.query<{ tenant: string; rolloutId: string; sequence: number; wakeAt: Date }>(
    `SELECT tenant, id AS "rolloutId", sequence, wake_at AS "wakeAt" FROM rollouts WHERE wake_at IS NOT NULL
     ORDER BY wake_at LIMIT ${BATCH + 1}`,
  );
  for (const { tenant, rolloutId, sequence, wakeAt } of rows.slice(0, BATCH)) {
    if (wakeAt.getTime() > parts.nowMs()) return wakeAt.getTime() - parts.nowMs();
    try {
      // Another worker may be first; the cause makes the second one's word count for nothing.
      await signal(parts, { tenant, rolloutId, event: { type: "tick" }, cause: `tick/${sequence}`, actor: SYSTEM });
    } catch (error) {
      // One rollout that cannot be told must not keep the others from their deadlines.
      parts.log.error("tick-failed", { tenant, rollout: rolloutId, sequence, reason: String(error) });
    }
  }
  return rows.length > BATCH ? 0 : undefined;
}
