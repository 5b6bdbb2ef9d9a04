import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { LookFacts } from "./monitor-parts.ts";

/** What a monitor tells of its own work. No tenant, endpoint, version or column is named: the page needs no credential. */
export function monitorRoleMetrics(
  registry: Registry,
  of: { watched(): number; kept(): number; lagSeconds(): number },
): { onLook(look: LookFacts): void } {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const requests = counter("continuum_monitor_requests_total", "Captured requests of watched versions that were read.");
  const rows = counter("continuum_monitor_rows_total", "Rows that became part of a sketch.");
  const late = counter("continuum_monitor_late_total", "Requests that came more than a minute after a younger one.");
  const unreadable = counter("continuum_monitor_unreadable_total", "Lines of captures that could not be read.");
  const lost = counter(
    "continuum_monitor_lost_requests_total",
    "About how many captured requests went before they were read.",
  );
  const dropped = counter(
    "continuum_monitor_dropped_requests_total",
    "Requests that serving said it could not capture.",
  );
  const notSampled = counter(
    "continuum_monitor_not_sampled_total",
    "Captured requests that were passed over at random, because more came than the monitor may read.",
  );
  const alarms = counter("continuum_monitor_alarms_total", "Evaluations that said ALARM.");
  const seconds = new Histogram({
    name: "continuum_monitor_evaluation_seconds",
    help: "How long one evaluation of a version took.",
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  new Gauge({
    name: "continuum_monitor_lag_seconds",
    help: "How old what was read last is where more is waiting, of the endpoint that is farthest behind; 0 when all was read.",
    registers,
    collect() {
      this.set(of.lagSeconds());
    },
  });
  new Gauge({
    name: "continuum_monitor_endpoints",
    help: "Endpoints that are watched, and those of them whose state is in memory.",
    labelNames: ["state"],
    registers,
    collect() {
      this.set({ state: "watched" }, of.watched());
      this.set({ state: "in-memory" }, of.kept());
    },
  });
  return {
    onLook: (look) => {
      requests.inc(look.requests);
      rows.inc(look.rows);
      late.inc(look.late);
      unreadable.inc(look.unreadable);
      lost.inc(look.lostRequests);
      dropped.inc(look.droppedRequests);
      notSampled.inc(look.notSampled);
      alarms.inc(look.alarms);
      if (look.evaluationSeconds !== null) seconds.observe(look.evaluationSeconds);
    },
  };
}
