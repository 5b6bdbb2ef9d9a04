import type { WalkState } from "./judge-state.ts";

/** The whole of the walk's share of alpha is given out over so many errors; then the walk is over. */
const EVENTS_MAX = 200;

/**
 * An exact test for rare errors. Among the requests that failed, each belongs to the candidate with the probability it
 * was drawn with, if the candidate changes nothing; so the number of the candidate's among them walks as a sum of
 * independent coin flips, whose distribution is carried along (Poisson-binomial). At error `j` the boundary is the
 * lowest count for which the chance of ever having crossed a boundary stays at most `alpha min(1, j/200)`. Crossing has
 * a chance of at most `alpha` exactly, not asymptotically. Costs O(j) at an error and nothing at any other request.
 */
export class LabelWalk {
  /** `#mass[k]`: the chance of `k` errors of the candidate so far with no boundary crossed. */
  readonly #mass = new Float64Array(EVENTS_MAX + 1);
  #events = 0;
  #candidateEvents = 0;
  #boundary: number | null = null;
  #spent = 0;
  #crossed = false;

  constructor() {
    this.#mass[0] = 1;
  }

  /** True once the count has reached a boundary. */
  get crossed(): boolean {
    return this.#crossed;
  }

  get events(): number {
    return this.#events;
  }

  get candidateEvents(): number {
    return this.#candidateEvents;
  }

  /** How many of the candidate's the newest error would have needed; null where no count was enough. */
  get boundary(): number | null {
    return this.#boundary;
  }

  /** The chance that a candidate that changes nothing has crossed by now. */
  get spent(): number {
    return this.#spent;
  }

  /** One failed request. `alpha` is this test's own share; it may change between errors. */
  event(candidate: boolean, probability: number, alpha: number): void {
    if (probability <= 0 || probability >= 1 || this.#events >= EVENTS_MAX || this.#crossed) return;
    this.#events += 1;
    if (candidate) this.#candidateEvents += 1;
    const mass = this.#mass;
    for (let k = this.#events; k > 0; k -= 1)
      mass[k] = (mass[k] ?? 0) * (1 - probability) + (mass[k - 1] ?? 0) * probability;
    mass[0] = (mass[0] ?? 0) * (1 - probability);
    this.#stop(alpha * Math.min(1, this.#events / EVENTS_MAX));
    if (this.#boundary !== null && this.#candidateEvents >= this.#boundary) this.#crossed = true;
  }

  /** Takes the most of the upper end away that may be crossed by now. */
  #stop(budget: number): void {
    const mass = this.#mass;
    let crossing = this.#spent;
    let boundary = this.#events + 1;
    while (boundary > 0 && crossing + (mass[boundary - 1] ?? 0) <= budget) {
      boundary -= 1;
      crossing += mass[boundary] ?? 0;
      mass[boundary] = 0;
    }
    this.#spent = crossing;
    this.#boundary = boundary > this.#events ? null : boundary;
  }

  toState(): WalkState {
    return {
      mass: [...this.#mass.subarray(0, this.#events + 1)],
      candidateEvents: this.#candidateEvents,
      boundary: this.#boundary,
      spent: this.#spent,
      crossed: this.#crossed,
    };
  }

  static fromState(state: WalkState): LabelWalk {
    const walk = new LabelWalk();
    walk.#mass.set(state.mass);
    walk.#events = state.mass.length - 1;
    walk.#candidateEvents = state.candidateEvents;
    walk.#boundary = state.boundary;
    walk.#spent = state.spent;
    walk.#crossed = state.crossed;
    return walk;
  }
}
