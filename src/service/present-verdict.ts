import { setTimeout as sleep } from "node:timers/promises";
import type { Verdict } from "../core/monitor/verdict.ts";
import type { Rollout } from "../core/rollout/rollout.ts";
import { monitorLook } from "../engine/alarms/monitor-look.ts";
import type { ServiceParts } from "./handler.ts";

/** Whoever looks at a rollout does not wait for a data plane that is down. */
const ANSWER_MS_MAX = 1_000;

/**
 * What is measured of a rollout's bake at this moment: the history holds a verdict once, and the figures behind it go
 * on. Undefined where the target cannot be asked, or would change by being asked.
 */
export async function presentVerdict(
  parts: Pick<ServiceParts, "targets" | "database" | "nowMs" | "monitorMetrics">,
  rollout: Rollout,
): Promise<Verdict | undefined> {
  const target = parts.targets.get(rollout.endpoint.target);
  if (rollout.phase !== "Baking" || target === undefined || target.simulated) return undefined;
  const answered = new AbortController();
  const looked = target.observe({ tenant: rollout.tenant, endpoint: rollout.endpoint }).catch(() => undefined);
  const late = sleep(ANSWER_MS_MAX, undefined, { signal: answered.signal }).catch(() => undefined);
  const seen = await Promise.race([looked, late]);
  answered.abort();
  if (seen === undefined || seen.verdict.metrics.length === 0) return undefined;
  if (seen.candidatePercent !== rollout.weightPercent) return undefined;
  const monitor = monitorLook(parts, rollout);
  return monitor === undefined ? seen.verdict : monitor(seen.verdict);
}

/** The rollout as its present verdict has it. */
export function withVerdict(rollout: Rollout, verdict: Verdict | undefined): Rollout {
  const worst = verdict?.metrics[0];
  if (verdict === undefined || worst === undefined) return rollout;
  return { ...rollout, lastVerdict: { outcome: verdict.outcome, message: worst.message } };
}
