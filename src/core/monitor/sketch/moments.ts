import type { SketchReader, SketchWriter } from "./sketch-bytes.ts";

/**
 * Count, least, greatest, mean and squared deviations in one pass: Welford 1962, put together as Chan, Golub and
 * LeVeque 1979 do. Finite numbers alone.
 */
export class Moments {
  count = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  mean = 0;
  /** Sum of the squared deviations from the mean. */
  m2 = 0;

  add(given: number): void {
    // Minus zero is zero, or the extremes would depend on which of them came first.
    const value = given + 0;
    this.count += 1;
    const from = value - this.mean;
    this.mean += from / this.count;
    this.m2 += from * (value - this.mean);
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  merge(other: Moments): void {
    if (other.count === 0) return;
    const count = this.count + other.count;
    const apart = other.mean - this.mean;
    this.mean += (apart * other.count) / count;
    this.m2 += other.m2 + apart * apart * ((this.count * other.count) / count);
    this.count = count;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
  }

  /** Of the population, i.e. divided by the count; null while there is no value. */
  get standardDeviation(): number | null {
    return this.count === 0 ? null : Math.sqrt(Math.max(0, this.m2) / this.count);
  }

  encode(to: SketchWriter): void {
    to.count(this.count);
    if (this.count === 0) return;
    for (const value of [this.min, this.max, this.mean, this.m2]) to.double(value);
  }

  static decode(from: SketchReader): Moments {
    const moments = new Moments();
    moments.count = from.count();
    if (moments.count === 0) return moments;
    moments.min = from.double();
    moments.max = from.double();
    moments.mean = from.double();
    moments.m2 = from.double();
    return moments;
  }
}
