import { Refusal } from "../../service/refusal.ts";

const STREAMS_MAX = 512;
const STREAMS_MAX_EACH = 64;

/** Counts the streams that are open: each asks the database now and then for as long as its reader likes. */
export class StreamSlots {
  readonly #open = new Map<string, number>();
  #total = 0;

  /** Errors: `too-many-requests` when all streams, or all that one principal may have, are open. */
  take(principal: string): { release(): void } {
    const own = this.#open.get(principal) ?? 0;
    if (own >= STREAMS_MAX_EACH || this.#total >= STREAMS_MAX) {
      throw new Refusal("too-many-requests", "Too many streams are open; close one that is not read any more.");
    }
    this.#open.set(principal, own + 1);
    this.#total += 1;
    return { release: () => this.#release(principal) };
  }

  #release(principal: string): void {
    const own = this.#open.get(principal) ?? 0;
    this.#total -= 1;
    if (own <= 1) this.#open.delete(principal);
    else this.#open.set(principal, own - 1);
  }
}
