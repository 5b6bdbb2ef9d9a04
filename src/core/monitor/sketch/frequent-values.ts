import { damaged, type SketchReader, type SketchWriter } from "./sketch-bytes.ts";

export interface FrequentValue {
  value: string;
  /** Never too low; too high by at most `overcount`. */
  count: number;
  overcount: number;
}

/**
 * The most frequent texts of a stream in bounded memory: Misra and Gries 1982, forgetting in batches as Anderson et al.
 * do ("A High-Performance Algorithm for Identifying Frequent Items in Data Streams", arXiv 1705.07001). Exact as long
 * as no more than `capacity` different texts came. After that a text with more than `2 n / capacity` of `n` occurrences
 * is surely kept, and no count is off by more. Merging adds the errors up: the bound holds for the whole.
 */
export class FrequentValues {
  readonly capacity: number;
  readonly #counts = new Map<string, number>();
  /** By how much any count may have become too low; a text that is not kept came at most so often. */
  #forgotten = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  add(value: string, count = 1): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + count);
    if (this.#counts.size > this.capacity) this.#forget();
  }

  merge(other: FrequentValues): void {
    this.#forgotten += other.#forgotten;
    for (const [value, count] of other.#counts) this.#counts.set(value, (this.#counts.get(value) ?? 0) + count);
    while (this.#counts.size > this.capacity) this.#forget();
  }

  /** 0 while the counts are exact. */
  get overcountMax(): number {
    return this.#forgotten;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** The most frequent first, then by text. */
  top(max: number): FrequentValue[] {
    return [...this.#counts]
      .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
      .slice(0, max)
      .map(([value, count]) => ({ value, count: count + this.#forgotten, overcount: this.#forgotten }));
  }

  get memoryBytes(): number {
    let bytes = 0;
    for (const value of this.#counts.keys()) bytes += ENTRY_BYTES + value.length * 2;
    return bytes;
  }

  encode(to: SketchWriter): void {
    to.count(this.#forgotten);
    to.count(this.#counts.size);
    for (const [value, count] of this.#counts) {
      to.text(value);
      to.count(count);
    }
  }

  static decode(from: SketchReader, capacity: number): FrequentValues {
    const values = new FrequentValues(capacity);
    values.#forgotten = from.count();
    const size = from.length(capacity, 2);
    for (let entry = 0; entry < size; entry += 1) values.#counts.set(from.text(), from.count());
    if (values.#counts.size !== size) damaged("a text stands twice");
    return values;
  }

  /** Takes the median count off every count: half of them go, so the next time is far. */
  #forget(): void {
    const counts = Float64Array.from(this.#counts.values()).sort();
    const median = counts[counts.length >>> 1] ?? 0;
    this.#forgotten += median;
    for (const [value, count] of this.#counts) {
      if (count > median) this.#counts.set(value, count - median);
      else this.#counts.delete(value);
    }
  }
}

/** About what a Map needs for an entry, and a text for its head. */
const ENTRY_BYTES = 64;
