import type { PolicySettings } from "../core/policy/decision.ts";

/** How a deployment of an endpoint ended; dry runs are none. */
export interface Outcome {
  createdAtMs: number;
  endedAtMs: number;
  /** Ended in Failed or RolledBack, other than by somebody's wish to stop or replace it. */
  failed: boolean;
}

export interface BreakerState {
  state: "closed" | "open" | "half-open";
  /** Failures that count now. */
  failures: number;
  /** When one trial deployment will be let through; null unless open by time. */
  opensUntilMs: number | null;
}

/**
 * P7's circuit breaker of one endpoint, told from its history alone, so that nothing has to be kept in step with it.
 *
 * Closed, it counts the failures within the window that just ended; at the limit it opens. Open, it lets nothing
 * through until the cool-down has passed; then it is half-open and one trial may start. A trial that fails opens it for
 * another cool-down, one that succeeds closes it, and so does a person (`resetAtMs`: what ended before is forgotten).
 * `trialRunning` says that a deployment is under way now: while half-open, no second one is let through beside it.
 */
export function breakerState(options: {
  outcomes: readonly Outcome[];
  settings: PolicySettings["breaker"];
  resetAtMs: number | null;
  trialRunning: boolean;
  nowMs: number;
}): BreakerState {
  const { settings, resetAtMs, nowMs } = options;
  const windowMs = settings.windowSeconds * 1000;
  const coolDownMs = settings.coolDownSeconds * 1000;
  const counted = options.outcomes
    .filter((outcome) => resetAtMs === null || outcome.endedAtMs > resetAtMs)
    .toSorted((a, b) => a.endedAtMs - b.endedAtMs);
  let failuresAtMs: number[] = [];
  let openedAtMs: number | null = null;
  for (const { createdAtMs, endedAtMs, failed } of counted) {
    failuresAtMs = failuresAtMs.filter((atMs) => openedAtMs !== null || atMs > endedAtMs - windowMs);
    if (failed) failuresAtMs.push(endedAtMs);
    else if (openedAtMs !== null && createdAtMs >= openedAtMs + coolDownMs) {
      failuresAtMs = [];
      openedAtMs = null;
    }
    if (failed && (openedAtMs !== null || failuresAtMs.length >= settings.failures)) openedAtMs = endedAtMs;
  }
  if (openedAtMs === null) {
    const failures = failuresAtMs.filter((atMs) => atMs > nowMs - windowMs).length;
    return { state: "closed", failures, opensUntilMs: null };
  }
  const untilMs = openedAtMs + coolDownMs;
  const failures = failuresAtMs.length;
  if (nowMs < untilMs) return { state: "open", failures, opensUntilMs: untilMs };
  return { state: options.trialRunning ? "open" : "half-open", failures, opensUntilMs: null };
}
