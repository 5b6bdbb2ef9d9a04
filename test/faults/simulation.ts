import { isTerminal } from "../../src/core/rollout/phases.ts";
import type { Phase } from "../../src/core/rollout/rollout.ts";
import { brokenAtEnd, brokenAtRest, brokenByEffect, type Checked, unlikeWanted } from "./invariants.ts";
import type { Mutant } from "./mutants.ts";
import { People, type Strategy } from "./people.ts";
import { Random } from "./random.ts";
import { reconcile } from "./reconciler.ts";
import { SimulatedClock, WallClock } from "./simulated-clock.ts";
import { type Quality, SimulatedHost } from "./simulated-host.ts";
import { type Fault, Tally } from "./tally.ts";
import { TinyEngine } from "./tiny-engine.ts";
import { UnreliableNetwork } from "./unreliable-network.ts";
import { Worker } from "./worker.ts";

export interface SimulationOptions {
  /** What every plan asks for; by chance when it is not said. */
  strategy?: Strategy | undefined;
  /** What is wrong with the program. */
  mutant?: Mutant | undefined;
}

export interface SimulationResult {
  /** How many rollouts ended in each phase. */
  ends: Map<Phase, number>;
  /** How often each thing went wrong. */
  faults: Map<Fault, number>;
  /** Every event of every rollout, for comparing two runs and for reading a failed one. */
  trace: string[];
  simulatedMs: number;
}

/** A run that broke a rule: says the seed that replays it and what happened before. */
export class InvariantBroken extends Error {
  constructor(seed: number, { strategy }: SimulationOptions, rule: string, trace: string[]) {
    const which = strategy === undefined ? "" : `SIMULATION_STRATEGY=${strategy} `;
    super(`${rule}\nreplay with ${which}SIMULATION_SEED=${seed}\n${trace.slice(-40).join("\n")}`);
  }
}

const WAKES_MAX = 200_000;
/** How long targets have, once all is over and every call arrives, to become what is wanted. */
const SETTLING_MS = 100_000;
const CLOCK_OFFSET_MS_MAX = 120_000;

/**
 * One seed, one run: some rollouts on two endpoints, three workers that crash and freeze between any two steps, a
 * network that loses, repeats and delays calls, a target that lies, clocks that are set, a database that falls, and
 * people who interfere. Throws `InvariantBroken` when a rule does not hold at some moment of rest, or when the rollouts
 * do not end.
 */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationResult> {
  const run = new Run(seed, options);
  try {
    return await run.toTheEnd();
  } catch (error) {
    const rule = error instanceof Error ? error.message : String(error);
    throw new InvariantBroken(seed, options, run.broken ?? rule, run.trace());
  }
}

class Run {
  readonly tally = new Tally();
  readonly clock = new SimulatedClock();
  broken: string | null = null;
  private readonly options: SimulationOptions;
  private readonly random: Random;
  private readonly qualities = new Map<string, Quality>();
  private readonly host: SimulatedHost;
  private readonly engine: TinyEngine;
  private readonly network: UnreliableNetwork;
  private readonly checked: Checked;
  private readonly walls: WallClock[] = [];
  /** The sequence of each rollout when it was last looked at. */
  private readonly seen = new Map<string, number>();
  private readonly proposing: number;
  private upSinceMs: number | null = 0;
  private readonly freeSince = new Map<string, number>();
  /** Nobody does anything any more. */
  private over = false;

  constructor(seed: number, options: SimulationOptions) {
    this.options = options;
    this.random = new Random(seed);
    const { random, clock, tally } = this;
    const { mutant } = options;
    this.proposing = random.integer(3, 9);
    const quality = (variant: string) => this.qualities.get(variant) ?? "good";
    this.engine = new TinyEngine({
      admit: () => (random.chance(0.05) ? { ok: false, denials: [] } : { ok: true, slotTaken: false }),
      slotMissed: () => {
        const missed = random.chance(0.2);
        if (missed) tally.add("free slot left to the sweep");
        return missed;
      },
      mutant,
    });
    this.host = new SimulatedHost({
      nowMs: () => clock.nowMs,
      ...{ quality, random, tally },
      lieRate: random.pick([0, 0, 0.1]),
      onEffect: (effect) => this.rule(brokenByEffect(this.engine, effect)),
      ignoresGenerations: mutant === "old-generations",
    });
    this.network = new UnreliableNetwork({ clock, random, tally, rate: random.pick([0, 0.15, 0.4, 0.7]) });
    const clocksApartMs = random.chance(0.3) ? 2 * CLOCK_OFFSET_MS_MAX : 0;
    const upSinceMs = () => this.upSinceMs;
    this.checked = {
      engine: this.engine,
      host: this.host,
      quality,
      clocksApartMs,
      upSinceMs,
      freeSince: this.freeSince,
    };
  }

  async toTheEnd(): Promise<SimulationResult> {
    const { clock, engine, host, network, random, tally } = this;
    const { mutant, strategy } = this.options;
    const crashRate = random.pick([0, 0.03, 0.15]);
    const stopped = () => this.done();
    const processes: Promise<void>[] = [this.timers(), this.sweeps()];
    for (const name of ["w1", "w2", "w3"]) {
      const parts = { name, engine, host, network, clock, random, tally, mutant, crashRate, stopped };
      processes.push(new Worker({ ...parts, wall: this.wall() }).run());
    }
    if (mutant !== "reconcile-missing")
      processes.push(reconcile({ engine, host, network, clock, tally, stopped: () => this.over }));
    const wall = this.wall();
    const people = new People({ engine, clock, wall, random, tally, strategy, lostRate: network.rate / 3 });
    for (let n = 1; n <= this.proposing; n += 1) {
      const id = `r-${n}`;
      this.qualities.set(id, random.pick<Quality>(["good", "good", "good", "bad", "silent"]));
      processes.push(people.propose(id, random.integer(0, 120_000)));
    }
    if (random.chance(0.2)) processes.push(this.outage());
    if (random.chance(0.2)) processes.push(this.databaseFalls());
    if (this.checked.clocksApartMs > 0) processes.push(this.clocksAreSet());
    // A process that throws must stop the run, also while nobody awaits it.
    for (const process of processes) process.catch((error: Error) => this.rule(error.stack ?? error.message, false));
    await clock.runUntil(stopped, () => this.look(), WAKES_MAX);
    await this.drain();
    const ends = new Map<Phase, number>();
    for (const { phase } of engine.rollouts.values()) ends.set(phase, (ends.get(phase) ?? 0) + 1);
    return { ends, faults: tally.counts, trace: this.trace(), simulatedMs: clock.nowMs };
  }

  trace(): string[] {
    const lines = [...this.engine.events].flatMap(([id, events]) => events.map((stored) => ({ id, ...stored })));
    return lines.map(({ id, sequence, event, cause }) => `${id} ${sequence} ${JSON.stringify(event)} <- ${cause}`);
  }

  private done(): boolean {
    return this.engine.rollouts.size === this.proposing && this.engine.allEnded();
  }

  /**
   * Effects that are still on their way arrive when all is over, and must change nothing then either; and whatever
   * could not be undone in its time is put right now that every call arrives.
   */
  private async drain(): Promise<void> {
    const untilMs = this.clock.nowMs + SETTLING_MS;
    this.network.rate = 0;
    this.network.down = false;
    void this.clock.sleep(SETTLING_MS);
    await this.clock.runUntil(
      () => this.clock.nowMs >= untilMs,
      () => this.look(),
      2 * WAKES_MAX,
    );
    this.over = true;
    this.rule(unlikeWanted(this.checked));
  }

  private wall(): WallClock {
    const wall = new WallClock(this.clock);
    this.walls.push(wall);
    return wall;
  }

  private async timers(): Promise<void> {
    const { clock, engine } = this;
    const wall = this.wall();
    while (!this.done()) {
      await clock.sleep(500);
      if (engine.down || this.options.mutant === "deadline-forgotten") continue;
      for (const { id, wakeAtMs, sequence } of engine.rollouts.values()) {
        if (wakeAtMs === null || wakeAtMs > wall.nowMs) continue;
        engine.commit(id, { event: { type: "tick", atMs: wall.nowMs }, cause: `tick after ${sequence}` });
      }
    }
  }

  private async sweeps(): Promise<void> {
    const { clock, engine, freeSince } = this;
    const wall = this.wall();
    while (!this.done()) {
      await clock.sleep(2_000);
      if (!engine.down) engine.sweep(wall.nowMs);
      for (const rollout of engine.rollouts.values()) {
        const free = rollout.phase === "Queued" && engine.holder(rollout) === undefined;
        if (!free) freeSince.delete(rollout.id);
        else if (!freeSince.has(rollout.id)) freeSince.set(rollout.id, clock.nowMs);
      }
    }
  }

  /** It comes back with what was committed, and without a session: whoever held a job does not hold it any more. */
  private async databaseFalls(): Promise<void> {
    const { clock, engine, random, tally } = this;
    for (let falls = random.integer(1, 3); falls > 0; falls -= 1) {
      await clock.sleep(random.integer(1_000, 60_000));
      engine.down = true;
      this.upSinceMs = null;
      await clock.sleep(random.integer(500, 15_000));
      engine.restart();
      this.upSinceMs = clock.nowMs;
      tally.add("database restarted");
    }
  }

  private async clocksAreSet(): Promise<void> {
    const { clock, random, tally, walls } = this;
    while (!this.done()) {
      await clock.sleep(random.integer(500, 60_000));
      const wall = random.pick(walls);
      const offsetMs = random.pick([0, random.integer(-CLOCK_OFFSET_MS_MAX, CLOCK_OFFSET_MS_MAX)]);
      if (offsetMs !== wall.offsetMs) tally.add(offsetMs > wall.offsetMs ? "clock jumped ahead" : "clock jumped back");
      wall.offsetMs = offsetMs;
    }
  }

  private async outage(): Promise<void> {
    const { clock, network, random } = this;
    await clock.sleep(random.integer(0, 60_000));
    network.down = true;
    await clock.sleep(random.integer(5_000, 120_000));
    network.down = false;
  }

  /** Checks everything that changed since the last moment of rest. */
  private look(): void {
    if (this.broken !== null) throw new Error(this.broken);
    const changed = [...this.engine.rollouts.values()].filter(({ id, sequence }) => this.seen.get(id) !== sequence);
    this.rule(
      brokenAtRest(
        this.checked,
        changed.map(({ id }) => id),
        this.clock.nowMs,
      ),
    );
    for (const rollout of changed) {
      this.seen.set(rollout.id, rollout.sequence);
      if (isTerminal(rollout.phase)) this.rule(brokenAtEnd(this.checked, rollout));
    }
  }

  /** Kept although a caller may swallow the error, as one that gave up waiting does. */
  private rule(broken: string | null, throws = true): void {
    if (broken === null) return;
    this.broken ??= broken;
    if (throws) throw new Error(broken);
  }
}
