import { readFileSync } from "node:fs";

const CONNECTIONS_MAX = 16_384;
/** Where the system does not say: half of what the least generous ones allow. */
const OPEN_FILES_ASSUMED = 1024;

/**
 * How many callers may be connected at a time: half of the files that this process may have open. Anybody can open
 * connections, and without a bound nothing would be left to be told of a rollback, to keep the state, or to start a
 * replica.
 */
export function connectionsMax(limits: string = systemLimits()): number {
  const openFiles = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  const openFilesMax = openFiles === undefined ? OPEN_FILES_ASSUMED : Number(openFiles);
  return Math.max(1, Math.min(CONNECTIONS_MAX, Math.floor(openFilesMax / 2)));
}

function systemLimits(): string {
  if (process.platform !== "linux") return "";
  return readFileSync("/proc/self/limits", "utf8");
}
