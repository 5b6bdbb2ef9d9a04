import type { DriftDecision } from "../../core/monitor/drift/drift-decision.ts";
import { shown } from "../../core/monitor/drift/figure-text.ts";
import type { DriftSettings } from "../../core/plan/monitor-settings.ts";

/** Traffic may come seldom; what was said of windows of long ago is said of nothing that comes now. */
const SILENT_SECONDS_MIN = 600;

/**
 * OK needs rows that come: after as long as the windows of a decision may last, and ten minutes at least, without any it
 * is INSUFFICIENT_DATA again, whether nobody asks or nothing is captured. An ALARM stays until something says otherwise.
 */
export function orSilent(
  decision: DriftDecision,
  of: { settings: DriftSettings; newestMs: number | null; nowMs: number },
): DriftDecision {
  const { settings, newestMs, nowMs } = of;
  if (decision.state !== "OK" || newestMs === null) return decision;
  const seconds = (nowMs - newestMs) / 1000;
  if (seconds <= Math.max(SILENT_SECONDS_MIN, settings.windows * settings.windowSeconds)) return decision;
  const reason = `no row came for ${shown(Math.round(seconds))} s; before that ${decision.reason}`;
  return { ...decision, state: "INSUFFICIENT_DATA", reason };
}
