import { createHash } from "node:crypto";
import type { QualityState } from "./quality-state.ts";

/** Answers of one rollout that wait for their truth, about, and how many of them may come in one hour. */
const WAITING_MAX = 1_000_000;
const PER_HOUR = { least: 1000, most: 100_000 };
export const HOUR_MS = 3_600_000;
/** Without a horizon truth is waited for this long. */
export const UNTIMED_SECONDS = 7 * 24 * 3600;

/** So many halvings leave next to nothing of any budget; a budget that is over keeps nothing at all. */
const HALVINGS_MAX = 12;
/** Of one reading: beyond this no share is left that a hash of 32 bits could be below. */
const SHARE_HALVINGS_MAX = 33;

/** How many answers an hour are kept: the longer they wait, the fewer. */
export function keptPerHour(horizonSeconds: number): number {
  const hours = (horizonSeconds === 0 ? UNTIMED_SECONDS : horizonSeconds) / 3600;
  return Math.max(PER_HOUR.least, Math.min(PER_HOUR.most, Math.floor(WAITING_MAX / hours)));
}

/**
 * Which requests are kept until their truth is known. By a hash of the inference's pseudonym alone, so that neither what
 * was answered nor which version answered has a say, and all rows of a request stay together. The share is halved when
 * half of what is left of the hour's budget was used, so the budget is never exceeded.
 */
export class Sampler {
  readonly #sampling: QualityState["sampling"];
  readonly #perHour: number;

  constructor(before: QualityState["sampling"], { nowMs, perHour }: { nowMs: number; perHour: number }) {
    this.#perHour = perHour;
    const hourMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
    // A host that reads late counts in the hour of the others: going back would give each of them a budget again.
    this.#sampling =
      hourMs <= before.hourMs ? { ...before } : { hourMs, kept: 0, halvings: Math.max(0, before.halvings - 1) };
  }

  keeps(inference: string): boolean {
    return placeOf(inference) < this.share;
  }

  /**
   * What is kept of one reading: by one share for all of it, because a share that falls between the rows of one version
   * and those of the other would let the bet between them see a difference that is none. Of more than half of what is
   * left of the budget as many halves go as it takes.
   */
  sample<Row extends { inference: string }>(rows: readonly Row[]): readonly Row[] {
    const room = Math.max(0, this.#perHour - this.#sampling.kept) / 2;
    if (this.share === 1 && rows.length <= room) return rows;
    let sampled = rows.map((row) => ({ row, place: placeOf(row.inference) }));
    for (let halvings = this.#sampling.halvings; halvings <= SHARE_HALVINGS_MAX; halvings += 1) {
      sampled = sampled.filter(({ place }) => place < 2 ** -halvings);
      if (sampled.length <= room) return sampled.map(({ row }) => row);
    }
    return [];
  }

  add(kept: number): void {
    const sampling = this.#sampling;
    sampling.kept += kept;
    while (sampling.halvings < HALVINGS_MAX && sampling.kept >= this.#perHour * (1 - 2 ** -(sampling.halvings + 1)))
      sampling.halvings += 1;
  }

  get share(): number {
    return 2 ** -this.#sampling.halvings;
  }

  get state(): QualityState["sampling"] {
    return { ...this.#sampling };
  }
}

function placeOf(inference: string): number {
  return createHash("sha256").update(inference).digest().readUInt32LE(0) / 2 ** 32;
}
