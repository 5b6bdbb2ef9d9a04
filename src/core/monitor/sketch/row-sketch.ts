import { createHash } from "node:crypto";
import { BinIndex } from "./bin-index.ts";
import { CategorySketch, type CategorySketchSettings } from "./category-sketch.ts";
import type { ColumnCounts, ColumnProfile } from "./column-profile.ts";
import { NumberSketch, type NumberSketchSettings } from "./number-sketch.ts";
import { encodeProfiles } from "./profile-bytes.ts";
import { damaged, SketchReader, SketchWriter } from "./sketch-bytes.ts";
import { SketchError } from "./sketch-error.ts";

const VERSION = 1;
const FINGERPRINT_BYTES = 8;
/** Ranks off by at most 2 %, in 6 KB a column; the baseline's own bins are exact beside it. */
const KLL_K = 128;

/** Many rows column by column find each column's sketch in the processor's cache: faster by a quarter with 200 of them. */
const PENDING_MAX = 64;

type ColumnSettings = { kind: "number"; of: NumberSketchSettings } | { kind: "category"; of: CategorySketchSettings };
type ColumnSketch = NumberSketch | CategorySketch;

/** What all sketches of rows against one baseline share; made once, since it holds indexes of the whole baseline. */
export class RowLayout {
  readonly profiles: readonly ColumnProfile[];
  readonly columns: readonly ColumnSettings[];
  /** By which a sketch knows whether it was made against the same baseline. */
  readonly fingerprint: Uint8Array;

  constructor(profiles: readonly ColumnProfile[], { kllK = KLL_K }: { kllK?: number } = {}) {
    this.profiles = profiles;
    this.columns = profiles.map((profile) => settingsOf(profile, kllK));
    const digest = createHash("sha256").update(`row sketch ${kllK}\n`).update(encodeProfiles(profiles)).digest();
    this.fingerprint = digest.subarray(0, FINGERPRINT_BYTES);
  }
}

function settingsOf(profile: ColumnProfile, kllK: number): ColumnSettings {
  if (profile.kind === "number") return { kind: "number", of: { profile, index: new BinIndex(profile.edges), kllK } };
  const places = new Map(profile.categories.map(({ value }, place) => [value, place]));
  return { kind: "category", of: { profile, places } };
}

/**
 * What came of whole rows, column by column, in bounded memory. Sketches of the same layout are merged in any order and
 * any grouping: counts are the same then, and what is estimated stays within its bounds.
 */
export class RowSketch {
  readonly layout: RowLayout;
  #rows = 0;
  #columns: readonly ColumnSketch[];
  /** Rows that are not in the columns yet. */
  #pending: (readonly unknown[])[] = [];

  /** Sketches that will be merged get seeds of their own, so that what their coins cost cancels out. */
  constructor(layout: RowLayout, seed = 1) {
    this.layout = layout;
    this.#columns = layout.columns.map((column, at) =>
      column.kind === "number" ? new NumberSketch(column.of, seed * 0x9e3779b1 + at) : new CategorySketch(column.of),
    );
  }

  get rows(): number {
    return this.#rows;
  }

  /**
   * Cells in the order of the layout's profiles; a cell that is undefined (or beyond the end) was not captured. The row
   * is looked at later, so it must not be changed.
   */
  add(cells: readonly unknown[]): void {
    this.#rows += 1;
    this.#pending.push(cells);
    if (this.#pending.length >= PENDING_MAX) this.#settle();
  }

  /** Throws `other-profile` for a sketch against another baseline. */
  merge(other: RowSketch): void {
    if (other.layout !== this.layout) checkSame(this.layout, other.layout.fingerprint);
    this.#settle();
    other.#settle();
    this.#rows += other.#rows;
    for (const [at, ours] of this.#columns.entries()) {
      const theirs = other.#columns[at];
      if (ours instanceof NumberSketch && theirs instanceof NumberSketch) ours.merge(theirs);
      else if (ours instanceof CategorySketch && theirs instanceof CategorySketch) ours.merge(theirs);
    }
  }

  /** A copy of what is known now, in the order of the layout's profiles. */
  counts(): ColumnCounts[] {
    this.#settle();
    return this.#columns.map((column) => column.counts());
  }

  /** The distribution of a column of numbers by ranks; null for any other. */
  quantilesOf(column: number): NumberSketch["quantiles"] | null {
    this.#settle();
    const sketch = this.#columns[column];
    return sketch instanceof NumberSketch ? sketch.quantiles : null;
  }

  get memoryBytes(): number {
    this.#settle();
    return this.#columns.reduce((sum, column) => sum + column.memoryBytes, 0);
  }

  encode(): Buffer {
    this.#settle();
    const to = new SketchWriter();
    to.byte(VERSION);
    to.bytes(this.layout.fingerprint);
    to.count(this.#rows);
    for (const column of this.#columns) column.encode(to);
    return to.done();
  }

  /** Throws `bad-sketch` for bytes that are no row sketch, and `other-profile` for one against another baseline. */
  static decode(layout: RowLayout, bytes: Uint8Array): RowSketch {
    const from = new SketchReader(bytes);
    if (from.byte() !== VERSION) damaged("a row sketch of an unknown version");
    checkSame(layout, from.bytes(FINGERPRINT_BYTES));
    const sketch = new RowSketch(layout);
    sketch.#rows = from.count();
    sketch.#columns = layout.columns.map((column) =>
      column.kind === "number" ? NumberSketch.decode(from, column.of) : CategorySketch.decode(from, column.of),
    );
    from.end();
    return sketch;
  }

  #settle(): void {
    if (this.#pending.length === 0) return;
    for (const [at, column] of this.#columns.entries()) for (const cells of this.#pending) column.add(cells[at]);
    this.#pending = [];
  }
}

function checkSame(layout: RowLayout, fingerprint: Uint8Array): void {
  if (Buffer.compare(layout.fingerprint, fingerprint) !== 0)
    throw new SketchError(
      "other-profile",
      "this sketch was made against another baseline and cannot be added to this one",
    );
}
