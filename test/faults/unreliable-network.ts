import type { Random } from "./random.ts";
import type { SimulatedClock } from "./simulated-clock.ts";
import type { Tally } from "./tally.ts";

/** What may happen to one call. */
type Fate = "delivered" | "refused" | "lied about" | "answer lost" | "late" | "slow" | "answered late";

const TIMEOUT_MS = 3_000;

/**
 * What stands between a worker and a target. A call may never arrive, be carried out and reported as failed, be carried
 * out without an answer, or arrive long after the caller gave up: after newer calls, too. An answer may come so late
 * that the job it answers is somebody else's.
 */
export class UnreliableNetwork {
  /** Share of calls that go wrong, 0 to 1. */
  rate: number;
  /** While true nothing arrives at all. */
  down = false;
  private readonly clock: SimulatedClock;
  private readonly random: Random;
  private readonly tally: Tally;

  constructor(parts: { clock: SimulatedClock; random: Random; tally: Tally; rate: number }) {
    this.clock = parts.clock;
    this.random = parts.random;
    this.tally = parts.tally;
    this.rate = parts.rate;
  }

  async call<T>(arrive: () => Promise<T>): Promise<T> {
    const fate = this.fate();
    if (this.down) this.tally.add("target away");
    else if (fate !== "delivered") this.tally.add(`call ${fate}`);
    await this.clock.sleep(this.random.integer(1, fate === "slow" ? TIMEOUT_MS - 1 : 20));
    if (fate === "refused") throw new Error("connection refused");
    if (fate === "late") {
      void this.arriveLate(arrive);
      throw await this.timeout();
    }
    const answer = await arrive();
    if (fate === "lied about") throw new Error("internal error");
    if (fate === "answer lost") throw await this.timeout();
    if (fate === "answered late") await this.clock.sleep(this.random.integer(4_000, 40_000));
    await this.clock.sleep(this.random.integer(1, 20));
    return answer;
  }

  private fate(): Fate {
    if (this.down) return "refused";
    if (!this.random.chance(this.rate)) return "delivered";
    return this.random.pick(["refused", "lied about", "answer lost", "late", "late", "slow", "answered late"]);
  }

  private async arriveLate(arrive: () => Promise<unknown>): Promise<void> {
    await this.clock.sleep(this.random.integer(0, this.random.pick([TIMEOUT_MS, 15_000, 60_000])));
    // Nobody waits for this answer any more, be it an error.
    await arrive().catch(() => undefined);
  }

  private async timeout(): Promise<Error> {
    await this.clock.sleep(TIMEOUT_MS);
    return new Error("timed out");
  }
}
