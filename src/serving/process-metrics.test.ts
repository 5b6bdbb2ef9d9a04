import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { registerProcessMetrics } from "./process-metrics.ts";

test("a busy event loop shows in the next scrape, and none of the library's lag statistics is offered", async () => {
  const registry = new Registry();
  registerProcessMetrics(registry);
  await registry.metrics();
  for (const endMs = performance.now() + 60; performance.now() < endMs; );
  const page = await registry.metrics();
  const utilization = Number(/^continuum_nodejs_eventloop_utilization (\S+)$/m.exec(page)?.[1]);
  expect(utilization).toBeGreaterThan(0.5);
  expect(utilization).toBeLessThanOrEqual(1);
  expect(page).toMatch(/^continuum_nodejs_eventloop_lag_seconds /m);
  expect(page).not.toMatch(/eventloop_lag_(min|max|mean|stddev|p\d+)_seconds/);
});
