import { Draws } from "./draws.ts";
import {
  type Bursts,
  DURATION_MS,
  LABELLED_SHARE,
  LATENCY_DEVIATION,
  LATENCY_MEDIAN_MS,
  REQUESTS,
  type World,
  WRONG_RATE,
} from "./world.ts";

const REPLICAS_MAX = 8;

/** Everything that happened in one rollout, request by request; filled again for each, so that nothing is allocated. */
export class RolloutStream {
  readonly atMs = new Float64Array(REQUESTS);
  readonly probability = new Float64Array(REQUESTS);
  readonly candidate = new Uint8Array(REQUESTS);
  readonly failed = new Uint8Array(REQUESTS);
  readonly latencyMs = new Float64Array(REQUESTS);
  readonly score = new Float64Array(REQUESTS);
  /** 1 where the answer was wrong, 0 where it was right, 2 where that is not known at the horizon. */
  readonly truth = new Uint8Array(REQUESTS);

  fill(world: World, seed: number): void {
    const draws = new Draws(seed);
    const shared = world.bursts === null ? null : new BurstClock(world.bursts, draws);
    const replicas = world.replicas === null ? null : replicaClocks(world.replicas, draws);
    const memory = world.memorySeconds === null ? null : new ArmMemory(world.memorySeconds * 1000, draws);
    const { effect, bursts } = world;
    let atMs = 0;
    for (let n = 0; n < REQUESTS; n += 1) {
      atMs += (draws.exponential() * DURATION_MS) / REQUESTS;
      const share = n / REQUESTS;
      const probability = probabilityAt(world.steps, share);
      const candidate = draws.uniform() < probability;
      const inBurst = shared?.isOn(atMs) === true && bursts !== null;
      const usual = inBurst ? bursts.errorRate : world.errorRate[0] + share * (world.errorRate[1] - world.errorRate[0]);
      const errorRate = candidate ? (effect.errorRate ?? usual) : usual;
      const wrong = inBurst ? bursts.wrongRate : WRONG_RATE;
      let times = (1 + share * (world.latencyTrend - 1)) * (inBurst ? bursts.latencyTimes : 1);
      if (replicas?.isOn(candidate, atMs) === true) times *= world.replicas?.latencyTimes ?? 1;
      if (candidate) times *= effect.latencyTimes ?? 1;
      const noise = memory === null ? draws.normal() : memory.next(candidate, atMs);
      const stretch = candidate ? (effect.scoreStretch ?? 1) : 1;
      const shift = (candidate ? (effect.scoreShift ?? 0) : 0) + (inBurst ? bursts.scoreShift : 0);
      this.atMs[n] = atMs;
      this.probability[n] = probability;
      this.candidate[n] = candidate ? 1 : 0;
      this.failed[n] = draws.uniform() < errorRate ? 1 : 0;
      this.latencyMs[n] = LATENCY_MEDIAN_MS * times * Math.exp(LATENCY_DEVIATION * noise);
      this.score[n] = stretch * draws.normal() + shift + share * world.scoreTrend;
      const isWrong = draws.uniform() < (candidate ? (effect.wrongRate ?? wrong) : wrong);
      const known = isWrong && candidate ? (world.wrongKnown ?? LABELLED_SHARE) : LABELLED_SHARE;
      this.truth[n] = draws.uniform() >= known ? 2 : isWrong ? 1 : 0;
    }
  }
}

function probabilityAt(steps: World["steps"], share: number): number {
  let probability = 0;
  for (let step = 0; step < steps.length; step += 1) {
    const at = steps[step];
    if (at !== undefined && share >= at[0]) probability = at[1];
  }
  return probability;
}

/** Switches between calm and burst after exponential times. */
class BurstClock {
  readonly #bursts: Bursts;
  readonly #draws: Draws;
  #on: boolean;
  #untilMs: number;

  constructor(bursts: Bursts, draws: Draws) {
    this.#bursts = bursts;
    this.#draws = draws;
    // As if it had been going on before the rollout.
    this.#on = draws.uniform() < bursts.lastSeconds / (bursts.lastSeconds + bursts.everySeconds);
    this.#untilMs = this.#lengthMs();
  }

  isOn(atMs: number): boolean {
    while (atMs >= this.#untilMs) {
      this.#on = !this.#on;
      this.#untilMs += this.#lengthMs();
    }
    return this.#on;
  }

  #lengthMs(): number {
    return this.#draws.exponential() * 1000 * (this.#on ? this.#bursts.lastSeconds : this.#bursts.everySeconds);
  }
}

function replicaClocks(replicas: NonNullable<World["replicas"]>, draws: Draws) {
  const clocks = Array.from({ length: 2 * REPLICAS_MAX }, () => new BurstClock(replicas, draws));
  return {
    isOn(candidate: boolean, atMs: number): boolean {
      const replica = Math.floor(draws.uniform() * (candidate ? replicas.candidate : replicas.stable));
      return clocks[(candidate ? REPLICAS_MAX : 0) + replica]?.isOn(atMs) === true;
    },
  };
}

/** Half white noise, half an AR(1) of the arm's own that forgets with time; the variance stays 1. */
class ArmMemory {
  readonly #memoryMs: number;
  readonly #draws: Draws;
  readonly #level = new Float64Array(2);
  readonly #lastMs = new Float64Array(2);

  constructor(memoryMs: number, draws: Draws) {
    this.#memoryMs = memoryMs;
    this.#draws = draws;
    this.#level[0] = draws.normal();
    this.#level[1] = draws.normal();
  }

  next(candidate: boolean, atMs: number): number {
    const arm = candidate ? 1 : 0;
    const kept = Math.exp(-(atMs - (this.#lastMs[arm] ?? 0)) / this.#memoryMs);
    const level = kept * (this.#level[arm] ?? 0) + Math.sqrt(1 - kept * kept) * this.#draws.normal();
    this.#level[arm] = level;
    this.#lastMs[arm] = atMs;
    return Math.SQRT1_2 * (level + this.#draws.normal());
  }
}
