import { setTimeout as sleep } from "node:timers/promises";
import type { Rollout } from "../core/rollout/rollout.ts";
import type { ServiceParts } from "./handler.ts";

/** Whoever looks at a rollout does not wait for a data plane that is down. */
const ANSWER_MS_MAX = 1_000;

/**
 * The rollout with what its target measures at this moment: the history holds a verdict once, and the figures behind
 * it go on. As it was recorded where the target cannot be asked, or would change by being asked.
 */
export async function withPresentVerdict(parts: Pick<ServiceParts, "targets">, rollout: Rollout): Promise<Rollout> {
  const target = parts.targets.get(rollout.endpoint.target);
  if (rollout.phase !== "Baking" || target === undefined || target.simulated) return rollout;
  const answered = new AbortController();
  const looked = target.observe({ tenant: rollout.tenant, endpoint: rollout.endpoint }).catch(() => undefined);
  const late = sleep(ANSWER_MS_MAX, undefined, { signal: answered.signal }).catch(() => undefined);
  const seen = await Promise.race([looked, late]);
  answered.abort();
  const worst = seen?.verdict.metrics[0];
  if (seen === undefined || worst === undefined || seen.candidatePercent !== rollout.weightPercent) return rollout;
  return { ...rollout, lastVerdict: { outcome: seen.verdict.outcome, message: worst.message } };
}
