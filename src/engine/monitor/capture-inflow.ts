import type { FileOffsets } from "./capture-tail.ts";

/** Over so long a capture's growth is levelled: a burst of a few seconds is read whole. */
const LEVELLED_SECONDS = 5;

/** How fast an endpoint's capture grows, in bytes a second. */
export class CaptureInflow {
  #bytes = 0;
  #atMs: number | undefined;

  /**
   * What the files were and are. What was there at the first look is a backlog and no growth: however much a monitor
   * that was away finds, it catches up with all of it.
   */
  saw(before: FileOffsets, after: FileOffsets, nowMs: number): void {
    const grown = Object.entries(after).map(([name, { size }]) => Math.max(0, size - (before[name]?.size ?? 0)));
    this.#bytes = this.#decayed(nowMs) + (this.#atMs === undefined ? 0 : grown.reduce((sum, one) => sum + one, 0));
    this.#atMs = nowMs;
  }

  bytesPerSecond(nowMs: number): number {
    return this.#decayed(nowMs) / LEVELLED_SECONDS;
  }

  #decayed(nowMs: number): number {
    const passedSeconds = (nowMs - (this.#atMs ?? nowMs)) / 1000;
    return this.#bytes * Math.exp(-passedSeconds / LEVELLED_SECONDS);
  }
}

/**
 * How much of each inflow is read when all together may be so much: those that are slow wholly, and the others as much
 * as each other. Infinity when there is enough for all.
 */
export function fairLevel(inflows: readonly number[], total: number): number {
  let left = total;
  for (const [at, inflow] of inflows.toSorted((a, b) => a - b).entries()) {
    const level = left / (inflows.length - at);
    if (inflow > level) return level;
    left -= inflow;
  }
  return Number.POSITIVE_INFINITY;
}
