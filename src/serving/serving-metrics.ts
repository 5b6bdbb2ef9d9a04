import { Counter, Gauge, Registry } from "prom-client";
import { type EndpointTable, LATENCY_BUCKETS_MS, type Variant } from "./endpoint.ts";
import { registerProcessMetrics } from "./process-metrics.ts";
import type { InvokeCredential } from "./protocol.ts";
import type { Capture } from "./router/capture.ts";
import { mayInvoke } from "./router/credential-table.ts";
import type { Router } from "./router/router.ts";

const LABELS = ["tenant", "endpoint", "variant", "role"] as const;
type Labels = Partial<Record<(typeof LABELS)[number], string>>;
type Served = ReturnType<EndpointTable["variants"]> extends Generator<infer Each> ? Each : never;

export interface MetricsPage {
  contentType: string;
  text: string;
}

/**
 * The Prometheus page, made from the counters that serving keeps anyway: a request costs no look-up by label, and a
 * version that is gone leaves no series behind. What the process itself needs is told as every other role tells it.
 *
 * Names of tenants, endpoints and versions are for who may invoke them. A credential is shown its own series; without
 * one (`null`) the page holds the host's sums, unless `namesForAll`.
 */
export function servingMetrics(parts: {
  endpoints: EndpointTable;
  router: () => Router | null;
  capture: Capture;
  namesForAll: boolean;
}): (reader: InvokeCredential | null) => Promise<MetricsPage> {
  const own = new Registry();
  own.setDefaultLabels({ role: "serve" });
  registerProcessMetrics(own);

  return async (reader) => {
    // Before anything is waited for: an endpoint that is removed meanwhile must not leave half of its series.
    const shown = [...parts.endpoints.variants()].filter(
      ({ endpoint }) => reader === null || mayInvoke(reader, endpoint),
    );
    const named = reader !== null || parts.namesForAll;
    const registry = versionMetrics(shown, named);
    hostMetrics(registry, parts);
    const pages = [await registry.metrics(), await own.metrics(), latencyText(shown, named)];
    return { contentType: registry.contentType, text: pages.join("\n") };
  };
}

function labelsOf({ endpoint, variant, role }: Served, named: boolean): Labels {
  if (!named) return { role };
  return { tenant: endpoint.at.tenant, endpoint: endpoint.servedName, variant: variant.spec.variant, role };
}

/** In a registry of its own: two pages that are made at the same time for two readers must not meet in one. */
function versionMetrics(shown: readonly Served[], named: boolean): Registry {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: LABELS, registers });
  const requests = new Counter({
    name: "continuum_serving_requests_total",
    help: "Answers by version and HTTP status.",
    labelNames: [...LABELS, "status"],
    registers,
  });
  const healthy = gauge("continuum_serving_replicas_healthy", "Replicas that answer.");
  const wanted = gauge("continuum_serving_replicas_wanted", "Replicas that should answer.");
  const memory = gauge("continuum_serving_replica_memory_bytes", "Resident memory of a version's replicas.");
  const weight = gauge("continuum_serving_candidate_percent", "Share of traffic on the candidate.");
  for (const served of shown) {
    const labels = labelsOf(served, named);
    const { pool, statuses } = served.variant;
    for (const [status, count] of statuses) requests.inc({ ...labels, status: String(status) }, count);
    healthy.inc(labels, pool.healthy);
    wanted.inc(labels, pool.wanted);
    memory.inc(labels, pool.rssBytes);
    const { tenant, endpoint } = labels;
    // A sum of percentages would say nothing.
    if (tenant !== undefined && endpoint !== undefined) weight.set({ tenant, endpoint }, served.endpoint.percent);
  }
  return registry;
}

function hostMetrics(registry: Registry, parts: { router: () => Router | null; capture: Capture }): void {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const refused = new Counter({
    name: "continuum_serving_refused_total",
    help: "Requests that were answered before a version was asked, by problem code.",
    labelNames: ["code"],
    registers,
  });
  const inFlight = new Gauge({
    name: "continuum_serving_in_flight",
    help: "Requests admitted and not answered yet.",
    registers,
  });
  const router = parts.router();
  for (const [code, count] of router?.refusals ?? []) refused.inc({ code }, count);
  inFlight.set(router?.inFlight ?? 0);
  counter("continuum_serving_capture_written_total", "Captured requests written.").inc(parts.capture.written);
  counter("continuum_serving_capture_dropped_total", "Captured requests lost.").inc(parts.capture.dropped);
}

/** The latency histogram as text: its counts are the versions' own, which prom-client's class cannot take. */
function latencyText(shown: readonly Served[], named: boolean): string {
  const name = "continuum_serving_latency_seconds";
  const lines = [`# HELP ${name} From the complete request to the answer, by version.`, `# TYPE ${name} histogram`];
  const series = new Map<string, Served[]>();
  for (const served of shown) {
    const labels = Object.entries(labelsOf(served, named));
    const key = labels.map(([label, value]) => `${label}="${escaped(value)}"`).join(",");
    series.set(key, [...(series.get(key) ?? []), served]);
  }
  for (const [labels, members] of series) {
    const total = (of: (variant: Variant) => number) => members.reduce((sum, { variant }) => sum + of(variant), 0);
    let count = 0;
    for (const [at, milliseconds] of LATENCY_BUCKETS_MS.entries()) {
      count += total(({ latencyBuckets }) => latencyBuckets[at] ?? 0);
      lines.push(`${name}_bucket{${labels},le="${milliseconds / 1000}"} ${count}`);
    }
    count += total(({ latencyBuckets }) => latencyBuckets[LATENCY_BUCKETS_MS.length] ?? 0);
    const seconds = total(({ latencySumMs }) => latencySumMs) / 1000;
    lines.push(`${name}_bucket{${labels},le="+Inf"} ${count}`);
    lines.push(`${name}_sum{${labels}} ${seconds}`, `${name}_count{${labels}} ${count}`);
  }
  return `${lines.join("\n")}\n`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
