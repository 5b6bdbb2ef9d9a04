import { LatencyHistogram } from "./latency-histogram.ts";

/** What one version answered since the current weights were set. Faults of the caller are not in it. */
export class ArmWindow {
  requests = 0;
  errors = 0;
  readonly latency = new LatencyHistogram();

  record(answer: { failed: boolean; latencyMs: number }): void {
    this.requests += 1;
    if (answer.failed) this.errors += 1;
    this.latency.record(answer.latencyMs);
  }

  get latencyMs(): { p50: number | null; p99: number | null } {
    return { p50: rounded(this.latency.quantile(0.5)), p99: rounded(this.latency.quantile(0.99)) };
  }
}

function rounded(milliseconds: number | null): number | null {
  return milliseconds === null ? null : Number(milliseconds.toPrecision(3));
}
