import { Counter, Histogram, type Registry } from "prom-client";

export interface HttpMetrics {
  observe(request: { operation: string; status: number; seconds: number }): void;
}

/** What the API tells of its own requests: by operation and status, never by path, token or tenant. */
export function httpMetrics(registry: Registry): HttpMetrics {
  const requests = new Counter({
    name: "continuum_http_requests_total",
    help: "Requests answered, by operation and status.",
    labelNames: ["operation", "status"],
    registers: [registry],
  });
  const duration = new Histogram({
    name: "continuum_http_request_duration_seconds",
    help: "Time from a request's arrival to the start of its answer.",
    labelNames: ["operation"],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  return {
    observe({ operation, status, seconds }) {
      requests.inc({ operation, status: String(status) });
      duration.observe({ operation }, seconds);
    },
  };
}
