import { isTerminal } from "../../src/core/rollout/phases.ts";
import type { Phase } from "../../src/core/rollout/rollout.ts";
import { brokenAtEnd, brokenAtRest, brokenByEffect, type Checked } from "./invariants.ts";
import { People } from "./people.ts";
import { Random } from "./random.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import { type Quality, SimulatedHost } from "./simulated-host.ts";
import { type Sabotage, TinyEngine } from "./tiny-engine.ts";
import { UnreliableNetwork } from "./unreliable-network.ts";
import { type CrashPoint, Worker } from "./worker.ts";

export interface SimulationResult {
  /** How many rollouts ended in each phase. */
  ends: Map<Phase, number>;
  crashes: Map<CrashPoint, number>;
  fates: Map<string, number>;
  /** Every event of every rollout, for comparing two runs and for reading a failed one. */
  trace: string[];
  simulatedMs: number;
}

/** A run that broke a rule: says the seed that replays it and what happened before. */
export class InvariantBroken extends Error {
  constructor(seed: number, rule: string, trace: string[]) {
    super(`${rule}\nreplay with SIMULATION_SEED=${seed}\n${trace.slice(-40).join("\n")}`);
  }
}

const WAKES_MAX = 200_000;

/**
 * One seed, one run: some rollouts on two endpoints, three workers that crash and freeze between any two steps, a
 * network that loses, repeats and delays calls, a target that lies, and people who interfere. Throws
 * `InvariantBroken` when a rule does not hold at some moment of rest, or when the rollouts do not end.
 */
export async function simulate(seed: number, sabotage: Sabotage = {}): Promise<SimulationResult> {
  const run = new Run(seed, sabotage);
  try {
    return await run.toTheEnd();
  } catch (error) {
    const rule = error instanceof Error ? error.message : String(error);
    throw new InvariantBroken(seed, run.broken ?? rule, run.trace());
  }
}

class Run {
  readonly crashes = new Map<CrashPoint, number>();
  readonly clock = new SimulatedClock();
  broken: string | null = null;
  private readonly random: Random;
  private readonly qualities = new Map<string, Quality>();
  private readonly host: SimulatedHost;
  private readonly engine: TinyEngine;
  private readonly network: UnreliableNetwork;
  private readonly checked: Checked;
  /** The sequence of each rollout when it was last looked at. */
  private readonly seen = new Map<string, number>();
  private readonly proposing: number;

  constructor(seed: number, sabotage: Sabotage) {
    this.random = new Random(seed);
    const { random, clock } = this;
    this.proposing = random.integer(3, 9);
    const quality = (variant: string) => this.qualities.get(variant) ?? "good";
    this.engine = new TinyEngine({
      admit: () => (random.chance(0.05) ? { ok: false, denials: [] } : { ok: true, slotTaken: false }),
      sabotage,
    });
    this.host = new SimulatedHost({
      nowMs: () => clock.nowMs,
      quality,
      random,
      lieRate: random.pick([0, 0, 0.1]),
      onEffect: (effect) => this.rule(brokenByEffect(this.engine, effect)),
      ignoresGenerations: sabotage.generations === true,
    });
    this.network = new UnreliableNetwork({ clock, random, rate: random.pick([0, 0.15, 0.4, 0.7]) });
    this.checked = { engine: this.engine, host: this.host, quality };
  }

  async toTheEnd(): Promise<SimulationResult> {
    const { clock, engine, host, network, random, crashes } = this;
    const crashRate = random.pick([0, 0.03, 0.15]);
    const stopped = () => this.done();
    const processes: Promise<void>[] = [this.timers()];
    for (const name of ["w1", "w2", "w3"]) {
      processes.push(new Worker({ name, engine, host, network, clock, random, crashRate, stopped, crashes }).run());
    }
    const people = new People({ engine, clock, random, lostRate: network.rate / 3 });
    for (let n = 1; n <= this.proposing; n += 1) {
      const id = `r-${n}`;
      this.qualities.set(id, random.pick<Quality>(["good", "good", "good", "bad", "silent"]));
      processes.push(people.propose(id, random.integer(0, 120_000)));
    }
    if (random.chance(0.2)) processes.push(this.outage());
    // A process that throws must stop the run, also while nobody awaits it.
    for (const process of processes) process.catch((error: Error) => this.rule(error.stack ?? error.message, false));
    await clock.runUntil(stopped, () => this.look(), WAKES_MAX);
    await this.drain();
    const ends = new Map<Phase, number>();
    for (const { phase } of engine.rollouts.values()) ends.set(phase, (ends.get(phase) ?? 0) + 1);
    return { ends, crashes, fates: network.fates, trace: this.trace(), simulatedMs: clock.nowMs };
  }

  trace(): string[] {
    const lines = [...this.engine.events].flatMap(([id, events]) => events.map((stored) => ({ id, ...stored })));
    return lines.map(({ id, sequence, event, cause }) => `${id} ${sequence} ${JSON.stringify(event)} <- ${cause}`);
  }

  private done(): boolean {
    return this.engine.rollouts.size === this.proposing && this.engine.allEnded();
  }

  /** Effects that are still on their way arrive when all is over, and must change nothing then either. */
  private async drain(): Promise<void> {
    const untilMs = this.clock.nowMs + 100_000;
    void this.clock.sleep(untilMs - this.clock.nowMs);
    await this.clock.runUntil(
      () => this.clock.nowMs >= untilMs,
      () => this.look(),
      WAKES_MAX,
    );
    for (const rollout of this.lastOnEndpoints()) this.rule(brokenAtEnd(this.checked, rollout));
  }

  /** Of each endpoint, the rollout that changed the target last. */
  private lastOnEndpoints() {
    const newest = new Map<string, { id: string; generation: number }>();
    for (const key of this.engine.issuedKeys) {
      const [id = ""] = key.split("/");
      const rollout = this.engine.rollout(id);
      if (rollout.effectsStarted) newest.set(rollout.endpoint.name, { id, generation: this.engine.generation });
    }
    return [...newest.values()].map(({ id }) => this.engine.rollout(id));
  }

  private async timers(): Promise<void> {
    const { clock, engine } = this;
    while (!this.done()) {
      await clock.sleep(500);
      for (const { id, wakeAtMs, sequence } of engine.rollouts.values()) {
        if (wakeAtMs === null || wakeAtMs > clock.nowMs) continue;
        engine.commit(id, { event: { type: "tick", atMs: clock.nowMs }, cause: `tick after ${sequence}` });
      }
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
