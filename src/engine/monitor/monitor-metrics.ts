import type { MetricVerdict } from "../../core/monitor/verdict.ts";
import type { EngineParts, MonitorMetrics } from "../engine.ts";
import { readMonitorReport } from "./monitor-report.ts";

/** A monitor looks at a candidate every few seconds, with traffic and without. */
const STALE_MS = 30_000;

/**
 * `drift`, `predictions`, `quality` and `bias` of a version as its monitor last found them, for the verdict of a bake,
 * from what is stored alone. Only what the plan's monitor asks for is there; a look that is too old, or that never was,
 * is an `error` and never a pass. Empty for targets without a capture beside them: there is nothing to be read.
 */
export function monitorMetrics({ database, nowMs }: Pick<EngineParts, "database" | "nowMs">): MonitorMetrics {
  return async ({ tenant, endpoint, variant }) => {
    if (endpoint.target !== "local") return [];
    const report = await readMonitorReport(database, { tenant, ...endpoint }, variant);
    if (report === undefined)
      return unmeasured("no monitor has looked at this version yet: `continuum start --role monitor` runs one");
    const ageMs = nowMs() - report.evaluatedAtMs;
    if (ageMs <= STALE_MS) return [...report.metrics];
    const age = Math.round(ageMs / 1000);
    return unmeasured(
      `the monitor last looked ${age} s ago, and what is older than ${STALE_MS / 1000} s does not count`,
    );
  };
}

function unmeasured(message: string): MetricVerdict[] {
  return (["drift", "quality", "bias"] as const).map((metric) => ({
    ...{ metric, outcome: "error", message, observed: null, limit: null },
  }));
}
