import { type MonitorPart, withMonitor } from "../../core/monitor/alarm/with-monitor.ts";
import type { MetricVerdict, Verdict } from "../../core/monitor/verdict.ts";
import type { Rollout } from "../../core/rollout/rollout.ts";
import { openSuppressions } from "../../store/queries/alarms.ts";
import type { EngineParts } from "../engine.ts";

/** A verdict with the monitor's part in it. */
export type MonitorLook = (verdict: Verdict) => Promise<Verdict>;

/** The monitor writes what it measured a few times a minute; a watch looks four times a second. */
const LOOK_AGAIN_MS = 2000;

interface Seen {
  metrics: readonly MetricVerdict[] | null;
  suppressed: ReadonlySet<string>;
}

/** What a watch asks the monitor; undefined where the plan has none, so that nothing is asked. */
export function monitorLook(
  parts: Pick<EngineParts, "database" | "nowMs" | "monitorMetrics">,
  rollout: Rollout,
): MonitorLook | undefined {
  if (rollout.plan.spec.monitor === undefined) return undefined;
  const withoutSay = whyWithoutSay(rollout);
  let seen: Seen | undefined;
  let seenAtMs = Number.NEGATIVE_INFINITY;
  return async (verdict) => {
    const nowMs = performance.now();
    if (seen === undefined || nowMs - seenAtMs >= LOOK_AGAIN_MS) {
      seen = await ask(parts, rollout);
      seenAtMs = nowMs;
    }
    return withMonitor(verdict, { plan: rollout.plan, withoutSay, ...seen });
  };
}

/**
 * A first version passes on its health, and what is brought back ran before: inputs that drifted would only put back the
 * version that somebody fled from.
 */
function whyWithoutSay({ simulation, hasStable, restores }: Rollout): MonitorPart["withoutSay"] {
  if (restores !== undefined) return { why: "it ran before and is brought back", failureCounts: false };
  if (simulation) return { why: "nothing is captured in a simulation", failureCounts: true };
  return hasStable ? null : { why: "there is no version before it", failureCounts: true };
}

/** Without its suppressions an alarm counts; what cannot be read holds, and never passes. */
async function ask(
  { database, nowMs, monitorMetrics }: Pick<EngineParts, "database" | "nowMs" | "monitorMetrics">,
  { tenant, id: variant, endpoint }: Rollout,
): Promise<Seen> {
  // Nothing is captured beside another target.
  const captured = endpoint.target === "local" || endpoint.target === "simulated";
  if (monitorMetrics === undefined || !captured) return { metrics: null, suppressed: new Set() };
  try {
    const [metrics, open] = await Promise.all([
      monitorMetrics({ tenant, endpoint, variant }),
      openSuppressions(database, { tenant, ...endpoint }, nowMs()),
    ]);
    return { metrics, suppressed: new Set(open.map(({ alarm }) => alarm)) };
  } catch (error) {
    const message = `the monitor could not be asked: ${error instanceof Error ? error.message : String(error)}`;
    const unasked = { outcome: "error", message, observed: null, limit: null } as const;
    const metrics = (["drift", "quality", "bias"] as const).map((metric) => ({ metric, ...unasked }));
    return { metrics, suppressed: new Set() };
  }
}
