import { binOf } from "./column-profile.ts";

const STRIPES_PER_EDGE = 2;

/**
 * Finds a value's bin faster than a search in all edges: the range is cut into even stripes, and for each of them it is
 * known which edges can be meant. Whatever the edges are, the answer is that of `binOf`.
 */
export class BinIndex {
  readonly #edges: Float64Array;
  /** The first edge that is not below the start of each stripe. */
  readonly #firsts: Uint16Array;
  readonly #start: number;
  readonly #perUnit: number;

  constructor(edges: Float64Array) {
    this.#edges = edges;
    const stripes = edges.length * STRIPES_PER_EDGE;
    const first = edges[0] ?? 0;
    const range = (edges[edges.length - 1] ?? 0) - first;
    this.#start = first;
    // A range that is too wide or too narrow for a division is searched as a whole.
    const perUnit = stripes / range;
    this.#perUnit = range > 0 && Number.isFinite(range) && Number.isFinite(perUnit) ? perUnit : 0;
    this.#firsts = new Uint16Array(stripes + 2).fill(edges.length);
    for (let at = edges.length - 1; at >= 0; at -= 1) this.#firsts[this.#stripeOf(edges[at] ?? 0)] = at;
    for (let stripe = stripes; stripe >= 0; stripe -= 1)
      this.#firsts[stripe] = Math.min(this.#firsts[stripe] ?? 0, this.#firsts[stripe + 1] ?? 0);
  }

  binOf(value: number): number {
    const edges = this.#edges;
    if (this.#perUnit === 0) return binOf(edges, value);
    const stripe = this.#stripeOf(value);
    let low = this.#firsts[stripe] ?? 0;
    let high = this.#firsts[stripe + 1] ?? 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((edges[middle] ?? Number.POSITIVE_INFINITY) < value) low = middle + 1;
      else high = middle;
    }
    return edges[low] === value && edges[low + 1] === value ? low + 1 : low;
  }

  get memoryBytes(): number {
    return this.#firsts.byteLength;
  }

  /** The same for edges and values, and never less for a greater number, so that it may be rounded as it will. */
  #stripeOf(value: number): number {
    const stripe = (value - this.#start) * this.#perUnit;
    const last = this.#firsts.length - 2;
    return stripe > 0 ? (stripe < last ? stripe | 0 : last) : 0;
  }
}
