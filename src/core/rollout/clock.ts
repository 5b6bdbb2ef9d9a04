import { isTerminal } from "./phases.ts";
import type { Rollout } from "./rollout.ts";

/**
 * P6's clock: it runs from the moment a rollout has everything it needs (admitted, approved, its endpoint's slot) until
 * the new version is accepted, without the time it was paused. A rollback is not on the clock: it has no deadline.
 */

/** `elapsedMs` so far is kept, so that starting again after a pause continues the count. */
export function startClock(rollout: Rollout): Rollout {
  if (rollout.clock.runningSinceMs !== null) return rollout;
  return { ...rollout, clock: { ...rollout.clock, runningSinceMs: rollout.seenAtMs } };
}

export function stopClock(rollout: Rollout): Rollout {
  return { ...rollout, clock: { runningSinceMs: null, elapsedMs: elapsedMs(rollout, rollout.seenAtMs) } };
}

/** Milliseconds on P6's clock at `nowMs`. */
export function elapsedMs(rollout: Rollout, nowMs: number): number {
  const { runningSinceMs, elapsedMs: before } = rollout.clock;
  return runningSinceMs === null ? before : before + Math.max(0, nowMs - runningSinceMs);
}

/** When `deadlineSeconds` will have passed if the clock goes on running; null while it stands. */
export function deadlineAtMs(rollout: Rollout): number | null {
  const { runningSinceMs, elapsedMs: before } = rollout.clock;
  if (runningSinceMs === null) return null;
  return runningSinceMs + rollout.plan.spec.rollout.deadlineSeconds * 1000 - before;
}

export function isOverdue(rollout: Rollout): boolean {
  const deadline = deadlineAtMs(rollout);
  return deadline !== null && rollout.seenAtMs >= deadline;
}

/** True when something waits for approvals and its time is over. */
export function isExpired(rollout: Rollout): boolean {
  return rollout.expiresAtMs !== null && rollout.seenAtMs >= rollout.expiresAtMs;
}

/** When a tick will have something to do; null when only a signal or an answer can move the rollout. */
export function nextWakeAtMs(rollout: Rollout): number | null {
  if (isTerminal(rollout.phase)) return null;
  return rollout.expiresAtMs ?? deadlineAtMs(rollout);
}
