/** Time that passes only when everything that runs is waiting for it. Processes are async functions that sleep here. */
export class SimulatedClock {
  nowMs = 0;
  /** How many times somebody woke: a run that takes too many does not end. */
  wakes = 0;
  private sleepers: { atMs: number; wake: () => void }[] = [];

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => this.insert(this.nowMs + Math.max(0, ms), wake));
  }

  /** Runs until `done` says so at a moment of rest. Throws when `wakesMax` is not enough. */
  async runUntil(done: () => boolean, atRest: () => void, wakesMax: number): Promise<void> {
    await settled();
    for (;;) {
      atRest();
      if (done()) return;
      const next = this.sleepers.pop();
      if (next === undefined) throw new Error("everybody waits and nobody sleeps: the simulation is stuck");
      this.wakes += 1;
      if (this.wakes > wakesMax) throw new Error(`no end after ${wakesMax} wakes, at ${this.nowMs} ms`);
      this.nowMs = next.atMs;
      next.wake();
      await settled();
    }
  }

  /** Kept in descending order of time, so that the next one is popped off the end; among equals the first comes first. */
  private insert(atMs: number, wake: () => void): void {
    let low = 0;
    let high = this.sleepers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.sleepers[middle]?.atMs ?? 0) > atMs) low = middle + 1;
      else high = middle;
    }
    this.sleepers.splice(low, 0, { atMs, wake });
  }
}

/** What one machine thinks the time is. It may be set, ahead or back, while the true time goes on. */
export class WallClock {
  /** How far it is ahead of the true time; negative when behind. */
  offsetMs = 0;
  private readonly clock: SimulatedClock;

  constructor(clock: SimulatedClock) {
    this.clock = clock;
  }

  get nowMs(): number {
    return this.clock.nowMs + this.offsetMs;
  }
}

/** Resolves when every promise that can go on has gone on; nothing here does real I/O. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
