import { Registry } from "prom-client";
import { registerProcessMetrics } from "../serving/process-metrics.ts";

/** A registry with what every process tells of itself (CPU, memory, event loop), labelled with its role. */
export function metricsRegistry(role: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ role });
  registerProcessMetrics(registry);
  return registry;
}
