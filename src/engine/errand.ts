export interface ErrandOptions {
  /** Answers after how long it is to be done again; undefined leaves it to `slowestMs`. */
  work(): Promise<number | undefined>;
  /** However often it is called for, it is not begun again sooner. */
  fastestMs: number;
  /** The safety net: it is begun again after so long, though nobody calls for it. */
  slowestMs: number;
  onFailure(error: unknown): void;
}

/** After a failure: the database may be back soon. */
const AFTER_FAILURE_MS = 500;

/**
 * Work that is worth doing when something happened, and now and then in case that nobody told of it: between the two a
 * worker at rest does nothing.
 */
export class Errand {
  readonly #options: ErrandOptions;
  #startedMs = Number.NEGATIVE_INFINITY;
  #called = false;
  #wake: (() => void) | undefined;

  constructor(options: ErrandOptions) {
    this.#options = options;
  }

  /** Something happened that makes it worth while. */
  call(): void {
    this.#called = true;
    this.#wake?.();
  }

  /** Until the signal; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { work, fastestMs, slowestMs, onFailure } = this.#options;
    const wake = () => this.#wake?.();
    signal.addEventListener("abort", wake, { once: true });
    while (!signal.aborted) {
      this.#called = false;
      this.#startedMs = performance.now();
      let restMs = slowestMs;
      try {
        restMs = Math.min(slowestMs, Math.max(fastestMs, (await work()) ?? slowestMs));
      } catch (error) {
        if (!signal.aborted) onFailure(error);
        restMs = Math.max(fastestMs, AFTER_FAILURE_MS);
      }
      await this.#rest(restMs, signal);
    }
    signal.removeEventListener("abort", wake);
  }

  /** Sleeps for so long, or until it is called for and may begin. */
  async #rest(restMs: number, signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + restMs;
    for (;;) {
      const mayMs = this.#startedMs + this.#options.fastestMs;
      const waitMs = (this.#called ? Math.min(endMs, mayMs) : endMs) - performance.now();
      if (waitMs <= 0 || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }
}
