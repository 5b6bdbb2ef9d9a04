import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { type EndpointTable, LATENCY_BUCKETS_MS } from "./endpoint.ts";
import type { Capture } from "./router/capture.ts";
import type { Router } from "./router/router.ts";

const LABELS = ["tenant", "endpoint", "variant", "role"] as const;

/**
 * The Prometheus page, made from the counters that serving keeps anyway: a request costs no look-up by label, and a
 * version that is gone leaves no series behind. What the process itself needs is told as every other role tells it.
 */
export function servingMetrics(parts: {
  endpoints: EndpointTable;
  router: () => Router | null;
  capture: Capture;
}): () => Promise<{ contentType: string; text: string }> {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: "continuum_serving_requests_total",
    help: "Answers by version and HTTP status.",
    labelNames: [...LABELS, "status"],
    registers,
  });
  const refused = new Counter({
    name: "continuum_serving_refused_total",
    help: "Requests that were answered before a version was asked, by problem code.",
    labelNames: ["code"],
    registers,
  });
  const healthy = new Gauge({
    name: "continuum_serving_replicas_healthy",
    help: "Replicas that answer.",
    labelNames: LABELS,
    registers,
  });
  const wanted = new Gauge({
    name: "continuum_serving_replicas_wanted",
    help: "Replicas that should answer.",
    labelNames: LABELS,
    registers,
  });
  const weight = new Gauge({
    name: "continuum_serving_candidate_percent",
    help: "Share of traffic on the candidate.",
    labelNames: ["tenant", "endpoint"],
    registers,
  });
  const memory = new Gauge({
    name: "continuum_serving_replica_memory_bytes",
    help: "Resident memory of a version's replicas.",
    labelNames: LABELS,
    registers,
  });
  const inFlight = new Gauge({
    name: "continuum_serving_in_flight",
    help: "Requests admitted and not answered yet.",
    registers,
  });
  const written = new Counter({
    name: "continuum_serving_capture_written_total",
    help: "Captured requests written.",
    registers,
  });
  const dropped = new Counter({
    name: "continuum_serving_capture_dropped_total",
    help: "Captured requests lost.",
    registers,
  });

  const own = new Registry();
  own.setDefaultLabels({ role: "serve" });
  collectDefaultMetrics({ register: own, prefix: "continuum_" });

  return async () => {
    for (const metric of [requests, refused, healthy, wanted, weight, memory, written, dropped]) metric.reset();
    for (const { endpoint, variant, role } of parts.endpoints.variants()) {
      const labels = { tenant: endpoint.at.tenant, endpoint: endpoint.servedName, variant: variant.spec.variant, role };
      for (const [status, count] of variant.statuses) requests.inc({ ...labels, status: String(status) }, count);
      healthy.set(labels, variant.pool.healthy);
      wanted.set(labels, variant.pool.wanted);
      memory.set(labels, variant.pool.rssBytes);
      weight.set({ tenant: labels.tenant, endpoint: labels.endpoint }, endpoint.percent);
    }
    const router = parts.router();
    for (const [code, count] of router?.refusals ?? []) refused.inc({ code }, count);
    inFlight.set(router?.inFlight ?? 0);
    written.inc(parts.capture.written);
    dropped.inc(parts.capture.dropped);
    const pages = [await registry.metrics(), await own.metrics(), latencyText(parts.endpoints)];
    return { contentType: registry.contentType, text: pages.join("\n") };
  };
}

/** The latency histogram as text: its counts are the versions' own, which prom-client's class cannot take. */
function latencyText(endpoints: EndpointTable): string {
  const name = "continuum_serving_latency_seconds";
  const lines = [`# HELP ${name} From the complete request to the answer, by version.`, `# TYPE ${name} histogram`];
  for (const { endpoint, variant, role } of endpoints.variants()) {
    const values = [endpoint.at.tenant, endpoint.servedName, variant.spec.variant, role];
    const labels = LABELS.map((label, at) => `${label}="${escaped(values[at] ?? "")}"`).join(",");
    let count = 0;
    for (const [at, milliseconds] of LATENCY_BUCKETS_MS.entries()) {
      count += variant.latencyBuckets[at] ?? 0;
      lines.push(`${name}_bucket{${labels},le="${milliseconds / 1000}"} ${count}`);
    }
    count += variant.latencyBuckets[LATENCY_BUCKETS_MS.length] ?? 0;
    lines.push(`${name}_bucket{${labels},le="+Inf"} ${count}`);
    lines.push(`${name}_sum{${labels}} ${variant.latencySumMs / 1000}`, `${name}_count{${labels}} ${count}`);
  }
  return `${lines.join("\n")}\n`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
