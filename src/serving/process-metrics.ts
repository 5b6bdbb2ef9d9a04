import { performance } from "node:perf_hooks";
import { collectDefaultMetrics, Gauge, type Registry } from "prom-client";

const PREFIX = "continuum_";
/** The longest interval a timer takes, about 25 days: the histogram that it feeds is not offered. */
const NEVER_MS = 2 ** 31 - 1;
const LAG_STATISTICS = ["min", "max", "mean", "stddev", "p50", "p90", "p99"];

/**
 * What every process tells of itself: CPU, memory, files, garbage collection, and how busy its event loop was.
 *
 * The library's histogram of the loop's lag wakes a process a hundred times a second, which was four fifths of the
 * processor time of an installation at rest. In its stead stands the loop's utilization between two scrapes, 0 to 1,
 * which Node keeps anyway (`performance.eventLoopUtilization`), beside the lag at the moment of the scrape.
 */
export function registerProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, prefix: PREFIX, eventLoopMonitoringPrecision: NEVER_MS });
  for (const statistic of LAG_STATISTICS)
    registry.removeSingleMetric(`${PREFIX}nodejs_eventloop_lag_${statistic}_seconds`);
  let before = performance.eventLoopUtilization();
  new Gauge({
    name: `${PREFIX}nodejs_eventloop_utilization`,
    help: "Share of the time since the last scrape in which the event loop was busy, 0 to 1.",
    registers: [registry],
    collect() {
      const now = performance.eventLoopUtilization();
      this.set(performance.eventLoopUtilization(now, before).utilization);
      before = now;
    },
  });
}
