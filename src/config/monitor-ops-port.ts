import type { Config } from "./schema.ts";

/** The one before the first worker's; where workers take any free ones, so does the monitor (0). */
export function monitorOpsPort({ monitor, worker }: Pick<Config, "monitor" | "worker">): number {
  return monitor.opsPort ?? Math.max(0, worker.opsPort - 1);
}
