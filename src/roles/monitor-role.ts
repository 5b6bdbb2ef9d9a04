import { engineMetrics } from "../engine/metrics.ts";
import { Monitor } from "../engine/monitor/monitor.ts";
import type { MonitorParts } from "../engine/monitor/monitor-parts.ts";
import { monitorRoleMetrics } from "../engine/monitor/role-metrics.ts";
import { createOpsServer } from "../surfaces/http/ops-server.ts";
import { metricsRegistry } from "./metrics-registry.ts";
import type { RunningRole } from "./role-process.ts";

export interface MonitorRoleOptions {
  parts: MonitorParts;
  opsHost: string;
  opsPort: number;
  /** What is wrong with this host's clock. */
  clockProblem(): string | undefined;
  close(): Promise<void>;
}

/** The monitor of this host's captures and, on a port of its own, what it tells of itself. */
export async function startMonitorRole(options: MonitorRoleOptions): Promise<RunningRole> {
  const registry = metricsRegistry("monitor");
  const monitor: Monitor = new Monitor({
    ...options.parts,
    ...engineMetrics(registry, options.parts),
    ...monitorRoleMetrics(registry, {
      watched: () => monitor.watchedCount,
      kept: () => monitor.keptCount,
      lagSeconds: () => monitor.lagSeconds,
    }),
  });
  const ops = await createOpsServer({
    registry,
    host: options.opsHost,
    port: options.opsPort,
    ready: async () => {
      const clock = options.clockProblem();
      const problems = monitor.problems();
      return { ready: problems.length === 0, problems: [...problems, ...(clock === undefined ? [] : [clock])] };
    },
  });
  try {
    await monitor.start();
  } catch (error) {
    await ops.close();
    throw error;
  }
  return {
    ready: { opsUrl: ops.url },
    stop: async () => {
      await monitor.stop();
      await ops.close();
      await options.close();
    },
  };
}
