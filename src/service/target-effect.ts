import { ContinuumError } from "../core/error.ts";
import { refuse } from "./refusal.ts";

/**
 * Brings a target to what was just written down. What was written stays when the target cannot be reached: the
 * reconciler brings it there later, so the caller is told that it is not there yet rather than that nothing happened.
 * Errors: `unavailable`, `not-acceptable-now`; the target's own otherwise.
 */
export async function applyEffect(effect: () => Promise<void>): Promise<void> {
  try {
    await effect();
  } catch (error) {
    if (!(error instanceof ContinuumError)) throw error;
    if (error.code === "stale-generation")
      refuse("not-acceptable-now", "A newer change of the endpoint overtook this one.");
    if (error.retryable || error.code === "unreachable") {
      refuse("unavailable", "The change is stored, but its target cannot be reached; it follows as soon as it can be.");
    }
    throw error;
  }
}
