/**
 * Latencies in buckets that each are 5 % wider than the one before, from 10 µs to about 100 s: a quantile is off by at
 * most 5 %, in constant memory, and a record costs one logarithm.
 */
const LOWEST_MS = 0.01;
const GROWTH_LOG = Math.log(1.05);
const BUCKETS = 332;

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  record(latencyMs: number): void {
    const raw = Math.ceil(Math.log(latencyMs / LOWEST_MS) / GROWTH_LOG);
    const bucket = raw > 0 ? (raw < BUCKETS ? raw : BUCKETS - 1) : 0;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  /** The upper edge of the bucket that holds the quantile, in milliseconds; null before the first record. */
  quantile(share: number): number | null {
    if (this.#total === 0) return null;
    const wanted = share * this.#total;
    let passed = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      passed += this.#counts[bucket] ?? 0;
      if (passed >= wanted && passed > 0) return upperEdgeMs(bucket);
    }
    return upperEdgeMs(BUCKETS - 1);
  }

  /** What is in it, as pairs of bucket and count. */
  toState(): [number, number][] {
    return [...this.#counts].flatMap((count, bucket): [number, number][] => (count === 0 ? [] : [[bucket, count]]));
  }

  static fromState(state: readonly (readonly [number, number])[]): LatencyHistogram {
    const histogram = new LatencyHistogram();
    for (const [bucket, count] of state) {
      if (bucket >= BUCKETS) throw new RangeError(`there is no bucket ${bucket} of latencies`);
      histogram.#counts[bucket] = count;
      histogram.#total += count;
    }
    return histogram;
  }

  /** Halves the weight of everything recorded so far, so that a quantile follows a service whose speed drifts. */
  halve(): void {
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) this.#counts[bucket] = (this.#counts[bucket] ?? 0) / 2;
    this.#total /= 2;
  }
}

function upperEdgeMs(bucket: number): number {
  return LOWEST_MS * Math.exp(GROWTH_LOG * bucket);
}
