import type { RolloutStream } from "./rollout-stream.ts";
import { DURATION_MS, REQUESTS } from "./world.ts";

const MINUTE_MS = 60_000;
/** One more than an hour has: arrivals are random, and the last may be a little late. */
export const MINUTES_MAX = Math.ceil((1.2 * DURATION_MS) / MINUTE_MS);

/** What a metrics system shows of one arm: sums by minute. */
export class ArmMinutes {
  readonly requests = new Float64Array(MINUTES_MAX);
  readonly errors = new Float64Array(MINUTES_MAX);
  readonly latencySum = new Float64Array(MINUTES_MAX);
  readonly logLatencySum = new Float64Array(MINUTES_MAX);
  readonly logLatencySquares = new Float64Array(MINUTES_MAX);
}

/** A rollout as rules see it that look once a minute. */
export class Minutes {
  readonly stable = new ArmMinutes();
  readonly candidate = new ArmMinutes();
  /** Requests of both arms up to the end of each minute: what a decision then has cost. */
  readonly soFar = new Float64Array(MINUTES_MAX);
  /** Whole minutes. */
  count = 0;

  fill(stream: RolloutStream): void {
    for (const arm of [this.stable, this.candidate]) {
      for (const sums of [arm.requests, arm.errors, arm.latencySum, arm.logLatencySum, arm.logLatencySquares]) {
        sums.fill(0);
      }
    }
    let last = 0;
    for (let n = 0; n < REQUESTS; n += 1) {
      const minute = Math.min(MINUTES_MAX - 1, Math.floor((stream.atMs[n] ?? 0) / MINUTE_MS));
      const arm = stream.candidate[n] === 1 ? this.candidate : this.stable;
      const latencyMs = stream.latencyMs[n] ?? 0;
      const log = Math.log(latencyMs);
      add(arm.requests, minute, 1);
      add(arm.errors, minute, stream.failed[n] ?? 0);
      add(arm.latencySum, minute, latencyMs);
      add(arm.logLatencySum, minute, log);
      add(arm.logLatencySquares, minute, log * log);
      for (; last < minute; last += 1) this.soFar[last] = n;
    }
    this.count = last;
  }
}

function add(sums: Float64Array, at: number, value: number): void {
  sums[at] = (sums[at] ?? 0) + value;
}
