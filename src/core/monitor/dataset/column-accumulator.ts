import { categoryProfile } from "../sketch/category-profile.ts";
import { categoryOf, numberOf } from "../sketch/cell-value.ts";
import { CATEGORIES_MAX, type ColumnProfile } from "../sketch/column-profile.ts";
import { FrequentValues } from "../sketch/frequent-values.ts";
import { HyperLogLog } from "../sketch/hyper-log-log.ts";
import { KllSketch } from "../sketch/kll-sketch.ts";
import { Moments } from "../sketch/moments.ts";
import { numberProfile } from "../sketch/number-profile.ts";
import { CompensatedSum } from "../statistics/compensated-sum.ts";
import type { Cell } from "./table-batch.ts";

/** SageMaker's words for what the values of a column are; truth values are text to it. */
export type InferredType = "Integral" | "Fractional" | "String" | "Unknown";

/** How many cells of a column hold what. An infinity is no value that can be compared, so it counts as missing. */
export interface CellKinds {
  integral: number;
  fractional: number;
  truth: number;
  text: number;
  missing: number;
}

const VALUES_KEPT = 4 * CATEGORIES_MAX;
const GROWTH_START = 1024;

/**
 * All that is to be known of one column, in one pass and bounded memory. Its type shows at the end alone: one text among
 * numbers makes it a column of texts, as in Deequ. Until then it is looked at as both.
 */
export class ColumnAccumulator {
  readonly name: string;
  readonly kinds: CellKinds = { integral: 0, fractional: 0, truth: 0, text: 0, missing: 0 };
  readonly moments = new Moments();
  readonly sketch = new KllSketch();
  readonly #sum = new CompensatedSum();
  readonly #distinct = new HyperLogLog();
  /** null in a column of so many different numbers that it can be no list of categories. */
  #values: FrequentValues | null = new FrequentValues(VALUES_KEPT);
  /** The numbers of the sampled rows at their places; NaN for what is missing. null once the column holds a text. */
  #sample: Float64Array | null;
  #sampled = 0;

  /** `rowsBefore`: rows that came before the column was first named. */
  constructor(name: string, rowsBefore: number, capacity: number) {
    this.name = name;
    this.kinds.missing = rowsBefore;
    this.#sampled = Math.min(rowsBefore, capacity);
    this.#sample = new Float64Array(Math.max(GROWTH_START, this.#sampled)).fill(Number.NaN);
  }

  add(cells: readonly Cell[], places: Int32Array): void {
    for (let at = 0; at < cells.length; at += 1) this.#addCell(cells[at] ?? null, places[at] ?? -1);
  }

  get present(): number {
    const { integral, fractional, truth, text } = this.kinds;
    return integral + fractional + truth + text;
  }

  get rows(): number {
    return this.present + this.kinds.missing;
  }

  get sum(): number {
    return this.#sum.value;
  }

  get inferredType(): InferredType {
    const { integral, fractional, truth, text } = this.kinds;
    if (text + truth > 0) return "String";
    if (fractional > 0) return "Fractional";
    return integral > 0 ? "Integral" : "Unknown";
  }

  /** Exact while all different values are at hand. */
  get distinct(): number {
    return this.hasExactValues ? (this.#values?.size ?? 0) : Math.round(this.#distinct.estimate());
  }

  get hasExactValues(): boolean {
    return this.#values !== null && this.#values.overcountMax === 0 && !this.#hasLost;
  }

  /** Its most frequent values as texts, with counts that are never too high. */
  topValues(): { value: string; count: number }[] {
    return this.profileAsCategories().categories.map(({ value, count }) => ({ value, count }));
  }

  profile(isWholeSample: boolean): ColumnProfile {
    const type = this.inferredType;
    if (type === "String" || type === "Unknown") return this.profileAsCategories();
    const sample = (this.#sample ?? new Float64Array(0)).slice(0, this.#sampled).sort();
    // NaN is sorted behind everything else.
    let count = sample.length;
    while (count > 0 && Number.isNaN(sample[count - 1])) count -= 1;
    const missing = sample.length - count;
    const profile = numberProfile({ name: this.name, rows: sample.length, missing, sorted: sample.subarray(0, count) });
    // Of a sample the number of different values, and whether all are whole, is known from the whole column.
    return isWholeSample ? profile : { ...profile, distinct: this.distinct, isIntegral: type === "Integral" };
  }

  profileAsCategories() {
    const { name, rows, present, distinct } = this;
    const values = this.#values ?? new FrequentValues(VALUES_KEPT);
    return categoryProfile({ name, rows, missing: this.kinds.missing, present, distinct, values });
  }

  /** The finite numbers of the sampled rows in order, where the column holds numbers alone. */
  #hasLost = false;

  #addCell(cell: Cell, place: number): void {
    const value = typeof cell === "boolean" ? Number.NaN : numberOf(cell);
    if (value === null || value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) {
      this.kinds.missing += 1;
      this.#keep(place, Number.NaN);
    } else if (Number.isNaN(value)) this.#addText(cell);
    else this.#addNumber(cell, value, place);
  }

  #addNumber(cell: Cell, value: number, place: number): void {
    if (Number.isInteger(value)) this.kinds.integral += 1;
    else this.kinds.fractional += 1;
    this.#keep(place, value);
    this.moments.add(value);
    this.#sum.add(value);
    this.sketch.add(value);
    this.#distinct.addNumber(value);
    if (this.#values === null) return;
    this.#values.add(categoryOf(cell) ?? "");
    if (this.#values.overcountMax === 0 || this.#sample === null) return;
    // Numbers without an end to their kinds: counting each of them would cost time and tell nothing.
    this.#values = null;
  }

  #addText(cell: Cell): void {
    const category = categoryOf(cell);
    if (category === null || category === undefined) {
      this.kinds.missing += 1;
      return;
    }
    if (category === "true" || category === "false") this.kinds.truth += 1;
    else this.kinds.text += 1;
    this.#sample = null;
    if (this.#values === null) {
      this.#values = new FrequentValues(VALUES_KEPT);
      this.#hasLost = true;
    }
    this.#values.add(category);
    this.#distinct.addText(category);
  }

  #keep(place: number, value: number): void {
    if (this.#sample === null || place < 0) return;
    if (place >= this.#sample.length) {
      const larger = new Float64Array(Math.max(place + 1, this.#sample.length * 2)).fill(Number.NaN);
      larger.set(this.#sample);
      this.#sample = larger;
    }
    this.#sample[place] = value;
    if (place >= this.#sampled) this.#sampled = place + 1;
  }
}
