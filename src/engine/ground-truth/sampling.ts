import { createHash } from "node:crypto";
import type { QualityState } from "./quality-state.ts";

/** Answers of one rollout that are kept in an hour, at most: about 30 a second. */
export const KEPT_PER_HOUR_MAX = 100_000;
export const HOUR_MS = 3_600_000;

/**
 * Which requests are kept until their truth is known. By a hash of the inference's pseudonym alone, so that neither what
 * was answered nor which version answered has a say, and all rows of a request stay together. The share is halved when
 * half of what is left of the hour's budget was used, so the budget is never exceeded.
 */
export class Sampler {
  readonly #sampling: QualityState["sampling"];

  constructor(before: QualityState["sampling"], nowMs: number) {
    const hourMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
    this.#sampling =
      before.hourMs === hourMs ? { ...before } : { hourMs, kept: 0, halvings: Math.max(0, before.halvings - 1) };
  }

  keeps(inference: string): boolean {
    const place = createHash("sha256").update(inference).digest().readUInt32LE(0) / 2 ** 32;
    return place < this.share;
  }

  add(kept: number): void {
    const sampling = this.#sampling;
    sampling.kept += kept;
    while (sampling.kept >= KEPT_PER_HOUR_MAX * (1 - 2 ** -(sampling.halvings + 1))) sampling.halvings += 1;
  }

  get share(): number {
    return 2 ** -this.#sampling.halvings;
  }

  get state(): QualityState["sampling"] {
    return { ...this.#sampling };
  }
}
