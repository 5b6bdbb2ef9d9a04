/** Up to so many requests in a second, everyone's latency is judged. */
const RATE_PER_SECOND_MAX = 20;
const SECOND_MS = 1000;
/** Above that rate at most one in so long. */
const BLOCK_MS = 200;

/**
 * Whose latency is judged. A process that is descheduled for 20 ms delays everything it holds at once, and those answers
 * are one event, not sixteen: so under load at most one request a block is looked at. Where requests come one by one
 * there is nothing to bundle, and every one counts. Asked when a request is drawn, of the clock and the past alone, so
 * that the choice cannot depend on how it ends or where it goes.
 */
export class LatencySampler {
  #secondEndsMs = Number.NEGATIVE_INFINITY;
  #inSecond = 0;
  #inSecondBefore = 0;
  #blockEndsMs = Number.NEGATIVE_INFINITY;

  /** `nowMs` is of a clock that only goes forward. */
  sample(nowMs: number): boolean {
    if (nowMs >= this.#secondEndsMs) {
      this.#inSecondBefore = nowMs >= this.#secondEndsMs + SECOND_MS ? 0 : this.#inSecond;
      this.#inSecond = 0;
      this.#secondEndsMs = nowMs + SECOND_MS;
    }
    this.#inSecond += 1;
    const slow = this.#inSecond <= RATE_PER_SECOND_MAX && this.#inSecondBefore <= RATE_PER_SECOND_MAX;
    if (!slow && nowMs < this.#blockEndsMs) return false;
    this.#blockEndsMs = nowMs + BLOCK_MS;
    return true;
  }
}
