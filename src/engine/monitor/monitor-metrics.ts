import type { MetricVerdict } from "../../core/monitor/verdict.ts";
import type { Queryable } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { readMonitorReport } from "./monitor-report.ts";

/** A monitor looks at a candidate every few seconds, with traffic and without. */
export const STALE_MS = 30_000;

/**
 * `drift`, `predictions`, `quality` and `bias` of a version as its monitor last found them, for the verdict of a bake.
 * Only what the plan's monitor asks for is there; a look that is too old, or that never was, is an `error` and never a
 * pass. Empty for targets without a capture beside them: there is nothing to be read.
 */
export async function monitorMetrics(
  db: Queryable,
  at: EndpointKey,
  of: { variant: string; nowMs: number },
): Promise<MetricVerdict[]> {
  if (at.target !== "local") return [];
  const report = await readMonitorReport(db, at, of.variant);
  if (report === undefined)
    return [unmeasured("No monitor has looked at this version yet: `continuum start --role monitor` runs one.")];
  const ageMs = of.nowMs - report.evaluatedAtMs;
  if (ageMs <= STALE_MS) return [...report.metrics];
  const age = Math.round(ageMs / 1000);
  return [
    unmeasured(`The monitor last looked ${age} s ago, and what is older than ${STALE_MS / 1000} s does not count.`),
  ];
}

function unmeasured(message: string): MetricVerdict {
  return { metric: "drift", outcome: "error", message, observed: null, limit: null };
}
