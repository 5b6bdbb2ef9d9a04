import { Refusal } from "../../service/refusal.ts";
import type { RateLimit } from "../../service/tenancy.ts";

/** Principals that are remembered; who was not seen for longest is forgotten first, and begins with a full bucket. */
const REMEMBERED_MAX = 10_000;

interface Bucket {
  tokens: number;
  filledMs: number;
}

/**
 * A token bucket for each principal, in this process alone: with several API processes behind a balancer each allows as
 * much. Counting together would cost every request a write, and what is to be kept from is one principal taking all of
 * a process. All tokens of a principal share its bucket.
 */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #nowMs: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `nowMs` is a monotonic clock. */
  constructor(limit: RateLimit, nowMs: () => number = () => performance.now()) {
    this.#limit = limit;
    this.#nowMs = nowMs;
  }

  /** Takes one request from the principal's bucket. Errors: `too-many-requests`, with `retryAfterSeconds`. */
  take({ tenant, id }: { tenant: string; id: string }): void {
    const { requestsPerSecond, burstMax } = this.#limit;
    if (requestsPerSecond === 0) return;
    const key = `${tenant}/${id}`;
    const nowMs = this.#nowMs();
    const before = this.#buckets.get(key) ?? { tokens: burstMax, filledMs: nowMs };
    const gained = ((nowMs - before.filledMs) / 1000) * requestsPerSecond;
    const tokens = Math.min(burstMax, before.tokens + gained);
    this.#remember(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, filledMs: nowMs });
    if (tokens >= 1) return;
    const retryAfterSeconds = Math.max(1, Math.ceil((1 - tokens) / requestsPerSecond));
    const message = `${id} asks more than ${requestsPerSecond} times a second: wait ${retryAfterSeconds} s.`;
    throw new Refusal("too-many-requests", message, { details: { retryAfterSeconds } });
  }

  #remember(key: string, bucket: Bucket): void {
    // Set anew, so that the map's order is that of the newest request.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > REMEMBERED_MAX && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
