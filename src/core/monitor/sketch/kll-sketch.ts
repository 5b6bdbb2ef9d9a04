import { assert } from "../../error.ts";
import { damaged, type SketchReader, type SketchWriter } from "./sketch-bytes.ts";
import { readValues, writeValues } from "./value-bytes.ts";

export interface KllOptions {
  /** Room of the highest level: the error goes as 1/k. */
  k?: number;
  /** By which share a level has less room than the one above; SageMaker's default. */
  c?: number;
  /** Of the coin that says which half of a full level goes on: the same values and seed give the same sketch. */
  seed?: number;
}

/** SageMaker's default. */
export const KLL_K_DEFAULT = 2048;
const C_DEFAULT = 0.64;
const ROOM_MIN = 8;
/** The lowest level has at least this room (or k, when that is less), because sorting a few values often is slow. */
const LOWEST_ROOM_MIN = 256;
const LEVELS_MAX = 50;
const K_MAX = 65_536;

/** Values of one weight, 2 to the power of the level's number, in order except in the lowest level. */
interface Level {
  values: Float64Array;
  length: number;
  /** Which side of the coin the next time takes: the other one than the last time, or -1 for a new toss. */
  nextSide: number;
}

/** All values that are kept, in order, with the weight up to and with each. */
export interface RankedValues {
  values: Float64Array;
  cumulativeWeights: Float64Array;
}

/**
 * The distribution of a stream of finite numbers in bounded memory, by ranks: Karnin, Lang and Liberty, "Optimal
 * Quantile Approximation in Streams" (arXiv 1603.05346). A level that is full is put in order and every other value
 * goes on to the next level, with twice the weight; a coin says whether the odd or the even ones. Two improvements of
 * Ivkin, Liberty, Lang, Karnin and Braverman (arXiv 1907.00236): every second time it is the other side of the coin, so
 * that errors cancel out, and a level may use the room that the others leave.
 *
 * With 99 % confidence every rank is off by at most `rankErrorMax` (a share of the count) at once, after merges too;
 * the first `k` or so values are kept as they are and then nothing is off. Memory is at most about `6 k` numbers.
 */
export class KllSketch {
  readonly k: number;
  readonly c: number;
  #levels: Level[] = [];
  #count = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #coin: number;
  /** Values that are kept, and from how many on some of them have to go. */
  #kept = 0;
  #room = 0;
  /** Of each level, for as many levels as there are. */
  #rooms: number[] = [];
  #ranked: RankedValues | null = null;

  constructor({ k = KLL_K_DEFAULT, c = C_DEFAULT, seed = 1 }: KllOptions = {}) {
    assert(
      Number.isInteger(k) && k >= ROOM_MIN && k <= K_MAX,
      `a KLL sketch's k is a whole number, ${ROOM_MIN} to ${K_MAX}`,
    );
    assert(c >= 0.5 && c < 1, "a KLL sketch's c is from 0.5 to 1");
    this.k = k;
    this.c = c;
    // Zero would be a coin that always falls on the same side.
    this.#coin = seed >>> 0 || 1;
  }

  /**
   * A sketch of the values of `levels`, where level `h` holds values of weight `2^h`: what SageMaker's statistics.json
   * has in `distribution.kll.sketch.data`. The extremes are not always among the values, so they are given.
   */
  static fromLevels(
    levels: readonly (readonly number[])[],
    { min, max, ...options }: KllOptions & { min: number; max: number },
  ): KllSketch {
    const sketch = new KllSketch(options);
    assert(levels.length <= LEVELS_MAX, `a KLL sketch has at most ${LEVELS_MAX} levels`);
    sketch.#levels = levels.map((level) => {
      const values = Float64Array.from(level).sort();
      return { values, length: values.length, nextSide: -1 };
    });
    sketch.#kept = levels.reduce((sum, level) => sum + level.length, 0);
    sketch.#count = levels.reduce((sum, level, height) => sum + level.length * 2 ** height, 0);
    sketch.#min = min;
    sketch.#max = max;
    sketch.#measure();
    sketch.#settle();
    return sketch;
  }

  /** A finite number. */
  add(given: number): void {
    // Minus zero is zero: they are one value, and only one of them has a whole number's form in bytes.
    const value = given + 0;
    if (this.#kept >= this.#room) this.#settle();
    const lowest = this.#levels[0] ?? this.#grow();
    if (lowest.length === lowest.values.length) enlarge(lowest, lowest.length + 1, 16 + (lowest.length >>> 1));
    lowest.values[lowest.length] = value;
    lowest.length += 1;
    this.#kept += 1;
    this.#count += 1;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    this.#ranked = null;
  }

  /** Adds what another sketch of the same `k` and `c` saw. */
  merge(other: KllSketch): void {
    assert(other.k === this.k && other.c === this.c, "only KLL sketches of the same k and c are merged");
    while (this.#levels.length < other.#levels.length) this.#grow();
    for (const [height, theirs] of other.#levels.entries()) {
      const ours = this.#levels[height];
      if (ours === undefined || theirs.length === 0) continue;
      if (height === 0) append(ours, theirs);
      else mergeSorted(ours, theirs, { from: 0, step: 1, count: theirs.length });
      this.#kept += theirs.length;
    }
    this.#count += other.#count;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
    this.#coin = (this.#coin ^ Math.imul(other.#coin, 0x9e3779b1)) >>> 0 || 1;
    this.#ranked = null;
    this.#settle();
  }

  get count(): number {
    return this.#count;
  }

  /** Exact; null while there is no value. */
  get min(): number | null {
    return this.#count === 0 ? null : this.#min;
  }

  get max(): number | null {
    return this.#count === 0 ? null : this.#max;
  }

  /** By how much any rank may be off, as a share of the count, with 99 % confidence; 0 while every value is kept. */
  get rankErrorMax(): number {
    return this.#levels.length <= 1 ? 0 : RANK_ERROR_TIMES_K / this.k;
  }

  /** The share of values that are at most `value`; null while there is none. */
  rank(value: number): number | null {
    if (this.#count === 0) return null;
    const { values, cumulativeWeights } = this.ranked();
    const below = upperBound(values, value);
    return below === 0 ? 0 : (cumulativeWeights[below - 1] ?? 0) / this.#count;
  }

  /** The least kept value of which at least `share` (0 to 1) of all are no greater; null while there is none. */
  quantile(share: number): number | null {
    if (this.#count === 0) return null;
    if (share <= 0) return this.#min;
    if (share >= 1) return this.#max;
    const { values, cumulativeWeights } = this.ranked();
    let low = 0;
    let high = values.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((cumulativeWeights[middle] ?? 0) < share * this.#count) low = middle + 1;
      else high = middle;
    }
    return values[low] ?? this.#max;
  }

  ranked(): RankedValues {
    this.#ranked ??= rankedOf(this.#levels);
    return this.#ranked;
  }

  /** The kept values of each level in order, the lowest level first: SageMaker's `data`. */
  levels(): Float64Array[] {
    return this.#levels.map(sortedCopy);
  }

  get memoryBytes(): number {
    return this.#levels.reduce((sum, { values }) => sum + values.byteLength, 0);
  }

  encode(to: SketchWriter): void {
    to.count(this.k);
    to.double(this.c);
    to.count(this.#coin);
    to.count(this.#levels.length);
    for (const level of this.#levels) {
      to.byte(level.nextSide + 1);
      writeValues(to, sortedCopy(level));
    }
    if (this.#count > 0) writeValues(to, Float64Array.of(this.#min, this.#max));
  }

  static decode(from: SketchReader): KllSketch {
    const k = from.count();
    const c = from.double();
    const seed = from.count();
    if (k < ROOM_MIN || k > K_MAX || !(c >= 0.5 && c < 1) || seed > 0xffff_ffff)
      damaged("a KLL sketch of no known kind");
    const sketch = new KllSketch({ k, c, seed });
    const height = from.length(LEVELS_MAX, 1);
    for (let level = 0; level < height; level += 1) {
      const nextSide = from.byte() - 1;
      if (nextSide > 1) damaged("a coin with more than two sides");
      const values = readValues(from, K_MAX * 4);
      sketch.#levels.push({ values, length: values.length, nextSide });
      sketch.#kept += values.length;
      sketch.#count += values.length * 2 ** level;
    }
    if (sketch.#count > 0) {
      const [min, max, more] = readValues(from, 2);
      if (min === undefined || max === undefined || more !== undefined || min > max) damaged("extremes that are none");
      sketch.#min = min;
      sketch.#max = max;
    }
    sketch.#measure();
    return sketch;
  }

  #measure(): void {
    this.#rooms = this.#levels.map((_, height) => {
      const room = Math.max(ROOM_MIN, Math.ceil(this.k * this.c ** (this.#levels.length - 1 - height)));
      return height === 0 ? Math.max(room, Math.min(this.k, LOWEST_ROOM_MIN)) : room;
    });
    this.#room = this.#rooms.reduce((sum, room) => sum + room, 0);
  }

  #grow(): Level {
    const level = { values: new Float64Array(0), length: 0, nextSide: -1 };
    this.#levels.push(level);
    this.#measure();
    return level;
  }

  /** Sends half of a full level on to the next, from the lowest up, until there is room again. */
  #settle(): void {
    for (let height = 0; this.#kept >= this.#room && height < this.#levels.length; height += 1) {
      const level = this.#levels[height];
      if (level === undefined || level.length < (this.#rooms[height] ?? 0)) continue;
      const above = this.#levels[height + 1] ?? this.#grow();
      if (height === 0) level.values.subarray(0, level.length).sort();
      // One of an odd number stays: a pair is what a coin can choose from.
      const pairs = level.length >>> 1;
      const left = level.values[level.length - 1] ?? 0;
      mergeSorted(above, level, { from: this.#side(level), step: 2, count: pairs });
      level.length -= pairs * 2;
      if (height > 0 && level.values.length > 2 * (this.#rooms[height] ?? 0))
        level.values = new Float64Array(this.#rooms[height] ?? 0);
      level.values[0] = left;
      this.#kept -= pairs;
    }
  }

  #side(level: Level): number {
    const again = level.nextSide >= 0;
    const side = again ? level.nextSide : this.#toss();
    level.nextSide = again ? -1 : 1 - side;
    return side;
  }

  /** 0 or 1, by xorshift (Marsaglia 2003). */
  #toss(): number {
    let state = this.#coin;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#coin = state >>> 0;
    return (this.#coin >>> 16) & 1;
  }
}

/**
 * The greatest error of all ranks at once, times k, was 2.02 at most in some 1,400 streams of 50 thousand to 10 million
 * values with k from 128 to 4,096; 99 of 100 stayed under 1.6 with a small k and under 2 with a large one.
 */
const RANK_ERROR_TIMES_K = 2.4;

/** A higher level gets more only when a lower one is full, and then much: it needs nothing to spare. */
function enlarge(level: Level, length: number, spare = 0): void {
  if (length <= level.values.length) return;
  const larger = new Float64Array(Math.max(length, level.values.length + spare));
  larger.set(level.values.subarray(0, level.length));
  level.values = larger;
}

function append(to: Level, other: Level): void {
  enlarge(to, to.length + other.length);
  to.values.set(other.values.subarray(0, other.length), to.length);
  to.length += other.length;
}

/** Merges `count` values of `other`, every `step`th from `from` on, into the ordered values of `to`, from the back. */
function mergeSorted(to: Level, other: Level, chosen: { from: number; step: number; count: number }): void {
  enlarge(to, to.length + chosen.count);
  const { values } = to;
  let ours = to.length - 1;
  let theirs = chosen.count - 1;
  for (let at = to.length + chosen.count - 1; theirs >= 0; at -= 1) {
    const value = other.values[chosen.from + theirs * chosen.step] ?? 0;
    const own = values[ours] ?? 0;
    if (ours >= 0 && own > value) {
      values[at] = own;
      ours -= 1;
    } else {
      values[at] = value;
      theirs -= 1;
    }
  }
  to.length += chosen.count;
}

function sortedCopy({ values, length }: Level): Float64Array {
  return values.slice(0, length).sort();
}

function rankedOf(levels: readonly Level[]): RankedValues {
  const merged: { value: number; weight: number }[] = [];
  for (const [height, { values, length }] of levels.entries())
    for (let at = 0; at < length; at += 1) merged.push({ value: values[at] ?? 0, weight: 2 ** height });
  merged.sort((a, b) => a.value - b.value);
  const ranked = { values: new Float64Array(merged.length), cumulativeWeights: new Float64Array(merged.length) };
  let sum = 0;
  for (const [at, { value, weight }] of merged.entries()) {
    sum += weight;
    ranked.values[at] = value;
    ranked.cumulativeWeights[at] = sum;
  }
  return ranked;
}

/** How many of the ordered values are at most `value`. */
function upperBound(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? Number.POSITIVE_INFINITY) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
