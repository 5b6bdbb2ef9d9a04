import { EDetector } from "./e-detector.ts";
import type { RateWatchState } from "./judge-state.ts";

/** Mean number of blocks until a false alarm, at least: of ten seconds each, more than a hundred days. */
export const BLOCKS_BETWEEN_FALSE_ALARMS = 1e6;
/** The alarm ends after so many blocks in a row that keep to the limit. */
const RECOVERED_BLOCKS = 6;
/** Of so many blocks the recent share is told. */
const RECENT_BLOCKS = 30;

/** One rate of a version that serves, held against a limit block by block. */
export class RateWatch {
  #detector = new EDetector();
  #alarm = false;
  #goodBlocks = 0;
  #seen: number[] = [];
  #bad: number[] = [];

  get alarm(): boolean {
    return this.#alarm;
  }

  get statistic(): number {
    return this.#detector.statistic;
  }

  /** Over the newest blocks, as a person wants to see it. */
  get recent(): { seen: number; bad: number } {
    return { seen: this.#seen.reduce((a, b) => a + b, 0), bad: this.#bad.reduce((a, b) => a + b, 0) };
  }

  block(counted: { seen: number; bad: number }, limit: number): void {
    if (counted.seen === 0) return;
    this.#seen = [...this.#seen, counted.seen].slice(-RECENT_BLOCKS);
    this.#bad = [...this.#bad, counted.bad].slice(-RECENT_BLOCKS);
    this.#detector.update(counted, limit);
    if (!this.#alarm) {
      this.#alarm = this.#detector.statistic >= BLOCKS_BETWEEN_FALSE_ALARMS;
      this.#goodBlocks = 0;
      return;
    }
    this.#goodBlocks = counted.bad <= limit * counted.seen ? this.#goodBlocks + 1 : 0;
    if (this.#goodBlocks < RECOVERED_BLOCKS) return;
    this.#alarm = false;
    this.#detector.reset();
  }

  toState(): RateWatchState {
    return {
      statistics: this.#detector.toState(),
      alarm: this.#alarm,
      goodBlocks: this.#goodBlocks,
      seen: this.#seen,
      bad: this.#bad,
    };
  }

  static fromState(state: RateWatchState): RateWatch {
    const watch = new RateWatch();
    watch.#detector = EDetector.fromState(state.statistics);
    watch.#alarm = state.alarm;
    watch.#goodBlocks = state.goodBlocks;
    watch.#seen = state.seen;
    watch.#bad = state.bad;
    return watch;
  }
}
