import { createHash } from "node:crypto";
import { ContinuumError } from "../../src/core/error.ts";
import type { Verdict } from "../../src/core/monitor/verdict.ts";
import type { Command, RolloutEvent } from "../../src/core/rollout/rollout.ts";
import type { Happening } from "../../src/core/rollout/testing/rollouts.ts";
import { verdictMark } from "../../src/core/rollout/verdict-mark.ts";
import type { Effect, Observation } from "../../src/drivers/target/target.ts";
import type { Mutant } from "./mutants.ts";
import type { Random } from "./random.ts";
import type { SimulatedClock, WallClock } from "./simulated-clock.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import type { Tally } from "./tally.ts";
import { type Committed, DatabaseAway, type Job, type TinyEngine } from "./tiny-engine.ts";
import type { UnreliableNetwork } from "./unreliable-network.ts";
import { GUARD, versionOf } from "./version-of.ts";

const TRIES_MAX: Partial<Record<Command["type"], number>> = { rollback: 5, watch: 1 };
const STALE_AFTER_MS = 4_000;

/** Where a worker may die or freeze: between any two things it does. */
type CrashPoint = "claimed" | "performed" | "committed" | "watching" | "retrying";

export interface WorkerParts {
  name: string;
  engine: TinyEngine;
  host: SimulatedHost;
  network: UnreliableNetwork;
  clock: SimulatedClock;
  wall: WallClock;
  random: Random;
  tally: Tally;
  mutant: Mutant | undefined;
  /** Chance to die at each point, and the same to freeze. */
  crashRate: number;
  /** Nobody needs the worker any more. */
  stopped: () => boolean;
}

class Crashed extends Error {}

/** Claims jobs, performs their commands on the target and commits what it observed; dies and freezes on the way. */
export class Worker {
  private readonly parts: WorkerParts;
  private incarnation = 0;

  constructor(parts: WorkerParts) {
    this.parts = parts;
  }

  async run(): Promise<void> {
    const { clock, random, stopped, tally, name } = this.parts;
    while (!stopped()) {
      const self = `${name}.${this.incarnation}`;
      // A notification may be lost, and then only the poll finds what it was about.
      const unnoticed = random.chance(0.1);
      if (unnoticed) tally.add("notification lost");
      await clock.sleep(random.integer(1, unnoticed ? 2_000 : 200));
      const job = this.claim(self);
      if (job === undefined) continue;
      try {
        await this.handle(job);
      } catch (error) {
        if (!(error instanceof Crashed)) throw error;
        this.incarnation += 1;
        void this.reap(self, random.integer(100, STALE_AFTER_MS));
        await clock.sleep(random.integer(100, 3_000));
      }
    }
  }

  /** Jobs come in any order, and now and then to two workers at once. */
  private claim(self: string): Job | undefined {
    const { engine, random, tally } = this.parts;
    if (engine.down) return undefined;
    if (random.chance(0.01)) {
      const held = engine.heldJob((jobs) => random.pick(jobs));
      if (held !== undefined) tally.add("job delivered twice");
      return held;
    }
    return engine.claim(self, (free) => {
      const picked = random.pick(free);
      if (picked !== free[0]) tally.add("jobs out of order");
      return picked;
    });
  }

  /** A dead worker's jobs are found after a while; a frozen one's too, although it will wake and go on. */
  private async reap(self: string, afterMs: number): Promise<void> {
    await this.parts.clock.sleep(afterMs);
    this.parts.engine.release(self);
  }

  private async mayCrash(at: CrashPoint): Promise<void> {
    const { random, crashRate, tally, clock, name } = this.parts;
    if (!random.chance(crashRate)) return;
    const dies = random.chance(0.5);
    tally.add(`crashed when ${at}`);
    tally.add(dies ? "worker died" : "worker froze");
    if (dies) throw new Crashed(at);
    void this.reap(`${name}.${this.incarnation}`, STALE_AFTER_MS);
    await clock.sleep(STALE_AFTER_MS + random.integer(0, 30_000));
  }

  private async handle(job: Job): Promise<void> {
    await this.mayCrash("claimed");
    const observed = await this.perform(job);
    if (observed === null) return;
    await this.mayCrash("performed");
    await this.commit(job, observed);
    await this.mayCrash("committed");
  }

  /** The connection may break before the commit or after it; the cause makes the second try harmless. */
  private async commit(job: Job, observed: Happening): Promise<Committed> {
    const { engine, clock, wall, random, network, tally } = this.parts;
    const atMs = wall.nowMs + random.integer(-500, 500);
    const claim = { key: job.key, claims: job.claims, known: job.known };
    for (;;) {
      await clock.sleep(random.integer(0, 10));
      if (engine.down || random.chance(network.rate / 4)) {
        tally.add("commit never arrived");
        await clock.sleep(250);
        continue;
      }
      const committed = engine.commit(job.rollout, {
        event: { ...observed, atMs } as RolloutEvent,
        cause: job.key,
        claim,
      });
      if (committed === "refused") throw new Error(`the reducer refused the answer ${observed.type} to ${job.key}`);
      if (committed === "fenced") tally.add("zombie's answer fenced");
      if (!random.chance(network.rate / 4)) return committed;
      tally.add("commit answer lost");
    }
  }

  /** What was observed; null when the job was taken away meanwhile and the answer matters to nobody. */
  private async perform(job: Job): Promise<Happening | null> {
    if (job.command.type === "watch") return this.watch(job, job.command);
    const { clock, tally } = this.parts;
    const triesMax = TRIES_MAX[job.command.type] ?? 4;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.attempt(job, job.command, tries);
      } catch (error) {
        if (!(error instanceof Error) || error instanceof Crashed) throw error;
        const stale = error instanceof ContinuumError && error.code === "stale-generation";
        if (stale) tally.add("old generation refused");
        if (!this.mayOwn(job)) return null;
        if (stale && !this.parts.engine.down) {
          throw new Error(`${job.key} is outstanding and was refused as stale`);
        }
        if (tries >= triesMax) return { type: "command-failed", command: job.command.type, message: error.message };
        await clock.sleep(250 * 2 ** Math.min(tries, 4));
        await this.mayCrash("retrying");
      }
    }
  }

  /** Nobody can be asked while the database is away; whoever went on wrongly is fenced later. */
  private mayOwn(job: Job): boolean {
    try {
      return this.parts.engine.owns(job);
    } catch (error) {
      if (error instanceof DatabaseAway) return true;
      throw error;
    }
  }

  private async attempt(job: Job, command: Exclude<Command, { type: "watch" }>, tries: number): Promise<Happening> {
    const { engine, host, network, random, mutant } = this.parts;
    const rollout = engine.rollout(job.rollout);
    const { tenant, endpoint, snapshot } = rollout;
    const idempotencyKey = mutant === "fresh-keys" ? `${job.key}/${tries}` : job.key;
    const effect: Effect = { tenant, endpoint, generation: job.generation, idempotencyKey };
    const refusals = random.chance(0.03) ? [{ clause: "CP-5", message: "No test evidence." }] : [];
    switch (command.type) {
      case "verify":
        return network.call(async () => ({ type: "verified", refusals }));
      case "gate":
        return network.call(async () =>
          refusals.length > 0 ? { type: "gate-refused", refusals } : { type: "gate-passed" },
        );
      case "snapshot": {
        const { bytes, empty } = await network.call(() => host.target.snapshot({ tenant, endpoint }));
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        engine.snapshots.set(sha256, bytes);
        return { type: "snapshot-taken", sha256, empty };
      }
      case "provision": {
        await network.call(() => host.target.provision(effect, versionOf(rollout)));
        return { type: "provisioned" };
      }
      case "shift":
        await network.call(() => host.target.shift(effect, { percent: command.percent, guard: GUARD }));
        return { type: "shifted", percent: command.percent };
      case "promote":
        await network.call(() => host.target.promote(effect));
        return { type: "promoted" };
      case "rollback": {
        const bytes = engine.snapshots.get(snapshot?.sha256 ?? "");
        if (bytes === undefined) throw new Error("the snapshot is not there");
        if (mutant !== "rollback-skipped") await network.call(() => host.target.rollback(effect, bytes));
        return { type: "rolled-back" };
      }
    }
  }

  private async watch(
    job: Job,
    { untilMs, mode, percent, quiet }: Extract<Command, { type: "watch" }>,
  ): Promise<Happening | null> {
    const { clock, wall, engine, host, network, mutant } = this.parts;
    const { tenant, endpoint } = engine.rollout(job.rollout);
    for (;;) {
      const verdict = await network
        .call(() => host.target.observe({ tenant, endpoint }))
        .then((seen) => judged(seen, percent))
        .catch((error: Error) => unmeasured(error));
      if (!this.mayOwn(job)) return null;
      const known = quiet?.known === verdictMark(verdict) && (quiet.untilMs === null || wall.nowMs < quiet.untilMs);
      const due = mutant === "bake-cut" || (wall.nowMs >= untilMs && !known);
      if (verdict.outcome === "fail" || due) return { type: "watched", verdict };
      await this.mayCrash("watching");
      const pauseMs = mode === "guard" ? 5_000 : 1_000;
      await clock.sleep(wall.nowMs >= untilMs ? pauseMs : Math.min(pauseMs, untilMs - wall.nowMs));
    }
  }
}

/** A verdict on another share of traffic than the one that was ordered is none: the shift did not happen. */
function judged({ verdict, candidatePercent }: Observation, percent: number): Verdict {
  if (verdict.outcome === "fail" || candidatePercent === percent) return verdict;
  return unmeasured(new Error(`The candidate has ${candidatePercent} percent of the traffic and not ${percent}.`));
}

function unmeasured({ message }: Error): Verdict {
  return {
    outcome: "error",
    metrics: [{ metric: "measurement", outcome: "error", message, observed: null, limit: null }],
  };
}
