import type { Target } from "../src/drivers/target/target.ts";

/**
 * A target that does nothing and remembers nothing, so that what is measured is the engine. Its endpoint is always
 * empty before a rollout, and its candidate always passes. `called` hears of every effect before it is answered.
 */
export function nothingTarget(
  name: Target["name"],
  called: (method: string, endpoint: string) => Promise<void> = async () => undefined,
): Target {
  const stats = { requests: 100, errors: 0, latencyMs: { p50: 1, p99: 2 }, replicas: { wanted: 1, healthy: 1 } };
  return {
    name,
    simulated: name === "simulated",
    capacity: async () => ({ ok: true }),
    snapshot: async () => ({ bytes: EMPTY, empty: true }),
    provision: (effect) => called("provision", effect.endpoint.name),
    shift: (effect) => called("shift", effect.endpoint.name),
    observe: async () => ({
      stable: null,
      candidate: { ...stats, variant: "candidate", modelVersion: "1" },
      candidatePercent: 100,
      verdict: { outcome: "pass", metrics: [] },
      tripped: null,
    }),
    promote: (effect) => called("promote", effect.endpoint.name),
    rollback: (effect) => called("rollback", effect.endpoint.name),
    scale: async () => undefined,
    remove: async () => undefined,
    describe: async () => undefined,
  };
}

const EMPTY = new TextEncoder().encode('{"empty":true}');
