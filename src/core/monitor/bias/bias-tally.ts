/** One answer as the fairness metrics see it. What is not known is null. */
export interface FacetAnswer {
  facet: string | null;
  group: string | null;
  predictedPositive: boolean | null;
}

/** Counts of one side of the facet within one group. */
export interface BiasCell {
  /** Answers, with or without a prediction or a label. */
  rows: number;
  predictedPositives: number;
  predictedNegatives: number;
  /** Labels, with or without a prediction. */
  positives: number;
  negatives: number;
  /** Of those with both. */
  truePositives: number;
  falsePositives: number;
  falseNegatives: number;
  trueNegatives: number;
}

export type Side = "favoured" | "other";

export interface BiasTallyState {
  /** side, group or null, and the cell's nine counts in the order of `BiasCell`. */
  cells: [Side, string | null, number[]][];
  labels: [Side, string, number][];
  unknownFacets: number;
}

const COUNTS = [
  "rows",
  "predictedPositives",
  "predictedNegatives",
  "positives",
  "negatives",
  "truePositives",
  "falsePositives",
  "falseNegatives",
  "trueNegatives",
] as const satisfies readonly (keyof BiasCell)[];

/** More groups, or more classes of labels, share one that is called this. */
const NAMES_MAX = 200;
export const OTHER_NAME = "(other)";

/**
 * Counts from which every fairness metric follows, mergeable and bounded: by side of the facet and by group. An answer
 * whose facet was not captured belongs to no side; it is counted apart and shown.
 */
export class BiasTally {
  readonly #favoured: readonly string[];
  readonly #cells = new Map<string, { side: Side; group: string | null; cell: BiasCell }>();
  readonly #labels: Readonly<Record<Side, Map<string, number>>> = { favoured: new Map(), other: new Map() };
  readonly #groups = new Set<string>();
  #unknownFacets = 0;

  /** `favoured` lists the facet's values whose members are in advantage; every other value is the other side. */
  constructor(favoured: readonly string[]) {
    this.#favoured = favoured;
  }

  addAnswer({ facet, group, predictedPositive }: FacetAnswer): void {
    if (facet === null) {
      this.#unknownFacets += 1;
      return;
    }
    const cell = this.#cell(this.sideOf(facet), group);
    cell.rows += 1;
    if (predictedPositive === true) cell.predictedPositives += 1;
    if (predictedPositive === false) cell.predictedNegatives += 1;
  }

  /** The truth of an answer that `addAnswer` has counted; without a facet it says nothing here. */
  addLabel({ facet, group, predictedPositive }: FacetAnswer, label: { isPositive: boolean; name: string }): void {
    if (facet === null) return;
    const side = this.sideOf(facet);
    const cell = this.#cell(side, group);
    const { isPositive } = label;
    cell[isPositive ? "positives" : "negatives"] += 1;
    if (predictedPositive === true) cell[isPositive ? "truePositives" : "falsePositives"] += 1;
    if (predictedPositive === false) cell[isPositive ? "falseNegatives" : "trueNegatives"] += 1;
    this.#addName(side, label.name, 1);
  }

  merge(other: BiasTally): void {
    for (const { side, group, cell } of other.#cells.values()) {
      const mine = this.#cell(side, group);
      for (const count of COUNTS) mine[count] += cell[count];
    }
    for (const side of ["favoured", "other"] as const)
      for (const [name, count] of other.#labels[side]) this.#addName(side, name, count);
    this.#unknownFacets += other.#unknownFacets;
  }

  sideOf(facet: string): Side {
    return this.#favoured.some((value) => sameValue(value, facet)) ? "favoured" : "other";
  }

  /** The counts of one side over all groups. */
  side(side: Side): BiasCell {
    const sum = emptyCell();
    for (const each of this.#cells.values())
      if (each.side === side) for (const count of COUNTS) sum[count] += each.cell[count];
    return sum;
  }

  /** By group, both sides; answers without a group are in none. */
  groups(): { group: string; favoured: BiasCell; other: BiasCell }[] {
    const names = [...new Set([...this.#cells.values()].flatMap(({ group }) => (group === null ? [] : [group])))];
    return names
      .sort()
      .map((group) => ({ group, favoured: this.#peek("favoured", group), other: this.#peek("other", group) }));
  }

  labels(side: Side): ReadonlyMap<string, number> {
    return this.#labels[side];
  }

  get unknownFacets(): number {
    return this.#unknownFacets;
  }

  toState(): BiasTallyState {
    return {
      cells: [...this.#cells.values()].map(({ side, group, cell }) => [
        side,
        group,
        COUNTS.map((count) => cell[count]),
      ]),
      labels: (["favoured", "other"] as const).flatMap((side) =>
        [...this.#labels[side]].map(([name, count]): [Side, string, number] => [side, name, count]),
      ),
      unknownFacets: this.#unknownFacets,
    };
  }

  static fromState(favoured: readonly string[], state: BiasTallyState): BiasTally {
    const made = new BiasTally(favoured);
    for (const [side, group, counts] of state.cells) {
      const cell = made.#cell(side, group);
      for (const [at, count] of COUNTS.entries()) cell[count] += counts[at] ?? 0;
    }
    for (const [side, name, count] of state.labels) made.#addName(side, name, count);
    made.#unknownFacets = state.unknownFacets;
    return made;
  }

  #cell(side: Side, asked: string | null): BiasCell {
    let group = asked;
    if (group !== null && !this.#groups.has(group)) {
      if (this.#groups.size >= NAMES_MAX) group = OTHER_NAME;
      else this.#groups.add(group);
    }
    const key = JSON.stringify([side, group]);
    let found = this.#cells.get(key);
    if (found === undefined) {
      found = { side, group, cell: emptyCell() };
      this.#cells.set(key, found);
    }
    return found.cell;
  }

  #peek(side: Side, group: string): BiasCell {
    return this.#cells.get(JSON.stringify([side, group]))?.cell ?? emptyCell();
  }

  #addName(side: Side, asked: string, count: number): void {
    const labels = this.#labels[side];
    const name = labels.has(asked) || labels.size < NAMES_MAX ? asked : OTHER_NAME;
    labels.set(name, (labels.get(name) ?? 0) + count);
  }
}

function emptyCell(): BiasCell {
  return {
    ...{ rows: 0, predictedPositives: 0, predictedNegatives: 0, positives: 0, negatives: 0 },
    ...{ truePositives: 0, falsePositives: 0, falseNegatives: 0, trueNegatives: 0 },
  };
}

/** `1`, `1.0` and `true` stand for the same class, whoever wrote them: models, tables and people each have their own way. */
export function sameValue(left: string, right: string): boolean {
  if (left === right) return true;
  const [a, b] = [numberOf(left), numberOf(right)];
  return a !== undefined && a === b;
}

function numberOf(text: string): number | undefined {
  const lower = text.trim().toLowerCase();
  if (lower === "true") return 1;
  if (lower === "false") return 0;
  const value = lower === "" ? Number.NaN : Number(lower);
  return Number.isFinite(value) ? value : undefined;
}
