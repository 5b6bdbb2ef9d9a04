import { categoryOf } from "./cell-value.ts";
import type { CategoryCounts, CategoryProfile } from "./column-profile.ts";
import { readCounts, writeCounts } from "./count-bytes.ts";
import { FrequentValues } from "./frequent-values.ts";
import { HyperLogLog } from "./hyper-log-log.ts";
import { damaged, type SketchReader, type SketchWriter } from "./sketch-bytes.ts";

/** What a sketch of a column of texts is made with; the same for all sketches that are ever merged. */
export interface CategorySketchSettings {
  profile: CategoryProfile;
  /** Where in the profile's list each category stands. */
  places: ReadonlyMap<string, number>;
}

/** New categories that are told apart, and how many of them are shown. */
const OTHERS_KEPT = 64;
const OTHERS_SHOWN = 32;

/** What came in a column of texts or truth values, in bounded memory. */
export class CategorySketch {
  readonly #settings: CategorySketchSettings;
  #missing = 0;
  #mismatched = 0;
  #notCaptured = 0;
  #present = 0;
  #otherRows = 0;
  #listed: Float64Array;
  #others = new FrequentValues(OTHERS_KEPT);
  #distinct = new HyperLogLog();

  constructor(settings: CategorySketchSettings) {
    this.#settings = settings;
    this.#listed = new Float64Array(settings.profile.categories.length);
  }

  add(cell: unknown): void {
    if (cell === undefined) {
      this.#notCaptured += 1;
      return;
    }
    const category = categoryOf(cell);
    if (category === null) this.#missing += 1;
    else if (category === undefined) this.#mismatched += 1;
    else this.#addCategory(category);
  }

  #addCategory(category: string): void {
    this.#present += 1;
    this.#distinct.addText(category);
    const place = this.#settings.places.get(category);
    if (place === undefined) {
      this.#otherRows += 1;
      this.#others.add(category);
    } else this.#listed[place] = (this.#listed[place] ?? 0) + 1;
  }

  merge(other: CategorySketch): void {
    this.#missing += other.#missing;
    this.#mismatched += other.#mismatched;
    this.#notCaptured += other.#notCaptured;
    this.#present += other.#present;
    this.#otherRows += other.#otherRows;
    for (let place = 0; place < this.#listed.length; place += 1)
      this.#listed[place] = (this.#listed[place] ?? 0) + (other.#listed[place] ?? 0);
    this.#others.merge(other.#others);
    this.#distinct.merge(other.#distinct);
  }

  /** A copy of what is known now. */
  counts(): CategoryCounts {
    return {
      kind: "category",
      name: this.#settings.profile.name,
      rows: this.#present + this.#missing + this.#mismatched,
      missing: this.#missing,
      mismatched: this.#mismatched,
      notCaptured: this.#notCaptured,
      distinct: Math.round(this.#distinct.estimate()),
      categories: this.#listed.slice(),
      otherRows: this.#otherRows,
      others: this.#others.top(OTHERS_SHOWN),
    };
  }

  get memoryBytes(): number {
    return this.#listed.byteLength + this.#others.memoryBytes + this.#distinct.memoryBytes;
  }

  encode(to: SketchWriter): void {
    for (const count of [this.#missing, this.#mismatched, this.#notCaptured, this.#present]) to.count(count);
    if (this.#present === 0) return;
    to.count(this.#otherRows);
    writeCounts(to, this.#listed);
    this.#others.encode(to);
    this.#distinct.encode(to);
  }

  static decode(from: SketchReader, settings: CategorySketchSettings): CategorySketch {
    const sketch = new CategorySketch(settings);
    sketch.#missing = from.count();
    sketch.#mismatched = from.count();
    sketch.#notCaptured = from.count();
    sketch.#present = from.count();
    if (sketch.#present === 0) return sketch;
    sketch.#otherRows = from.count();
    readCounts(from, sketch.#listed);
    sketch.#others = FrequentValues.decode(from, OTHERS_KEPT);
    sketch.#distinct = HyperLogLog.decode(from);
    const listed = sketch.#listed.reduce((sum, one) => sum + one, 0);
    if (listed + sketch.#otherRows !== sketch.#present) damaged("a column that counts its values in two ways");
    return sketch;
  }
}
