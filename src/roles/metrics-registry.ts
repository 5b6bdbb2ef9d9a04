import { collectDefaultMetrics, Registry } from "prom-client";

/** A registry with what every process tells of itself (CPU, memory, event loop), labelled with its role. */
export function metricsRegistry(role: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry, prefix: "continuum_" });
  return registry;
}
