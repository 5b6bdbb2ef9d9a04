import type { BinIndex } from "./bin-index.ts";
import { numberOf } from "./cell-value.ts";
import type { NumberCounts, NumberProfile } from "./column-profile.ts";
import { readCounts, writeCounts } from "./count-bytes.ts";
import { HyperLogLog } from "./hyper-log-log.ts";
import { KllSketch } from "./kll-sketch.ts";
import { Moments } from "./moments.ts";
import { damaged, type SketchReader, type SketchWriter } from "./sketch-bytes.ts";

/** What a sketch of a column of numbers is made with; the same for all sketches that are ever merged. */
export interface NumberSketchSettings {
  profile: NumberProfile;
  index: BinIndex;
  kllK: number;
}

/** What came in a column of numbers, in bounded memory. */
export class NumberSketch {
  readonly #settings: NumberSketchSettings;
  #missing = 0;
  #mismatched = 0;
  #notCaptured = 0;
  #below = 0;
  #above = 0;
  #fractional = 0;
  #bins: Float64Array;
  #moments = new Moments();
  #kll: KllSketch;
  #distinct = new HyperLogLog();

  constructor(settings: NumberSketchSettings, seed = 1) {
    this.#settings = settings;
    this.#bins = new Float64Array(settings.profile.edges.length + 1);
    this.#kll = new KllSketch({ k: settings.kllK, seed });
  }

  add(cell: unknown): void {
    if (cell === undefined) {
      this.#notCaptured += 1;
      return;
    }
    const value = typeof cell === "number" ? cell : numberOf(cell);
    // Only a finite number is 0 when it is taken from itself.
    if (value !== null && value - value === 0) this.#addValue(value);
    else if (value === null || (typeof cell === "number" && Number.isNaN(cell))) this.#missing += 1;
    else this.#mismatched += 1;
  }

  #addValue(value: number): void {
    const { min, max } = this.#settings.profile;
    const bin = this.#settings.index.binOf(value);
    this.#bins[bin] = (this.#bins[bin] ?? 0) + 1;
    if (min !== null && value < min) this.#below += 1;
    if (max !== null && value > max) this.#above += 1;
    if (!Number.isInteger(value)) this.#fractional += 1;
    this.#moments.add(value);
    this.#kll.add(value);
    this.#distinct.addNumber(value);
  }

  merge(other: NumberSketch): void {
    this.#missing += other.#missing;
    this.#mismatched += other.#mismatched;
    this.#notCaptured += other.#notCaptured;
    this.#below += other.#below;
    this.#above += other.#above;
    this.#fractional += other.#fractional;
    for (let bin = 0; bin < this.#bins.length; bin += 1)
      this.#bins[bin] = (this.#bins[bin] ?? 0) + (other.#bins[bin] ?? 0);
    this.#moments.merge(other.#moments);
    this.#kll.merge(other.#kll);
    this.#distinct.merge(other.#distinct);
  }

  /** A copy of what is known now. */
  counts(): NumberCounts {
    const { count, min, max, mean, m2 } = this.#moments;
    const isEmpty = count === 0;
    return {
      kind: "number",
      name: this.#settings.profile.name,
      rows: count + this.#missing + this.#mismatched,
      missing: this.#missing,
      mismatched: this.#mismatched,
      notCaptured: this.#notCaptured,
      distinct: Math.round(this.#distinct.estimate()),
      bins: this.#bins.slice(),
      below: this.#below,
      above: this.#above,
      fractional: this.#fractional,
      min: isEmpty ? null : min,
      max: isEmpty ? null : max,
      mean: isEmpty ? null : mean,
      m2,
    };
  }

  /** The distribution by ranks, which says where values lie that are far from the baseline's; not to be changed. */
  get quantiles(): KllSketch {
    return this.#kll;
  }

  get memoryBytes(): number {
    return this.#bins.byteLength + this.#kll.memoryBytes + this.#distinct.memoryBytes;
  }

  encode(to: SketchWriter): void {
    for (const count of [this.#missing, this.#mismatched, this.#notCaptured]) to.count(count);
    this.#moments.encode(to);
    if (this.#moments.count === 0) return;
    for (const count of [this.#below, this.#above, this.#fractional]) to.count(count);
    writeCounts(to, this.#bins);
    this.#kll.encode(to);
    this.#distinct.encode(to);
  }

  static decode(from: SketchReader, settings: NumberSketchSettings): NumberSketch {
    const sketch = new NumberSketch(settings);
    sketch.#missing = from.count();
    sketch.#mismatched = from.count();
    sketch.#notCaptured = from.count();
    sketch.#moments = Moments.decode(from);
    if (sketch.#moments.count === 0) return sketch;
    sketch.#below = from.count();
    sketch.#above = from.count();
    sketch.#fractional = from.count();
    readCounts(from, sketch.#bins);
    sketch.#kll = KllSketch.decode(from);
    if (sketch.#kll.k !== settings.kllK) damaged("a KLL sketch of another size");
    sketch.#distinct = HyperLogLog.decode(from);
    const { count } = sketch.#moments;
    const binned = sketch.#bins.reduce((sum, one) => sum + one, 0);
    if (binned !== count || sketch.#kll.count !== count) damaged("a column that counts its values in two ways");
    return sketch;
  }
}
