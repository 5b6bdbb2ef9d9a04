import type { MonitorSettings } from "../../core/plan/monitor-settings.ts";

/**
 * A request that comes more than this after a younger one of its host is late: it counts in the window that is open by
 * then. And what claims to be of the future by more was written by a clock that is wrong.
 */
export const LATE_MS = 60_000;

/** When a request counts, on a clock that may jump: nothing is left out, and nothing opens a window of another day. */
export interface EventTime {
  atMs: number;
  late: boolean;
}

/**
 * The time that a captured request counts at. `newestMs` is that of the youngest request of its host so far, null before
 * the first; `nowMs` is the database's clock.
 */
export function eventTime(atMs: number, { newestMs, nowMs }: { newestMs: number | null; nowMs: number }): EventTime {
  const possibleMs = Math.min(atMs, nowMs + LATE_MS);
  if (newestMs === null || possibleMs >= newestMs - LATE_MS) return { atMs: possibleMs, late: false };
  return { atMs: newestMs - LATE_MS, late: true };
}

/** Cells are a tenth of a window long: so exactly a window by time is cut, where one by rows is not cut before. */
export function slotMs(settings: MonitorSettings): number {
  const windowSeconds = settings.dataDrift?.windowSeconds ?? 300;
  return Math.min(60, Math.max(1, windowSeconds / 10)) * 1000;
}
