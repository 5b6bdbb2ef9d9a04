import type { Rule } from "./contestants/contestant.ts";
import { NEVER } from "./contestants/contestant.ts";
import { type ProductStops, productStops } from "./contestants/product-judge.ts";
import { ERROR_RULES, LATENCY_RULES, rulesFor } from "./contestants/rules.ts";
import { Minutes } from "./minutes.ts";
import { RolloutStream } from "./rollout-stream.ts";
import { EFFECT_WORLDS, NULL_WORLDS, type World } from "./world.ts";

export const PRODUCT = "Continuum";

/** A part of the rollouts of one world. */
export interface RolloutJob {
  part: "equal" | "effect";
  world: string;
  /** Rollouts by number; together with the seed the number says everything. */
  from: number;
  to: number;
  seed: number;
  /** Rollouts from this number on are judged by the product alone: peers fail so often that fewer will do. */
  peersTo: number;
}

/** By contestant, and for the product by half and metric too: after how many requests each rollout was rolled back. */
export type Stops = Record<string, number[]>;

/** Runs rollout by rollout; every contestant sees the same stream. */
export function judgeRollouts(job: RolloutJob): Stops {
  const world = worldOf(job);
  const rules = rulesOf(job);
  const stream = new RolloutStream();
  const minutes = new Minutes();
  const stops: Stops = {};
  for (let number = job.from; number < job.to; number += 1) {
    stream.fill(world, seedOf(job, number));
    addProduct(stops, productStops(stream));
    if (number >= job.peersTo) continue;
    minutes.fill(stream);
    for (const [name, rule] of rules) add(stops, name, rule({ stream, minutes, world }));
  }
  return stops;
}

function worldOf({ part, world }: RolloutJob): World {
  const worlds: readonly World[] = part === "equal" ? NULL_WORLDS : EFFECT_WORLDS;
  const found = worlds.find(({ name }) => name === world);
  if (found === undefined) throw new RangeError(`there is no world "${world}" in "${part}"`);
  return found;
}

function rulesOf({ part, world }: RolloutJob): [name: string, rule: Rule][] {
  if (part === "effect") {
    const metric = EFFECT_WORLDS.find(({ name }) => name === world)?.metric ?? "errors";
    return Object.entries(rulesFor(metric));
  }
  return [
    ...Object.entries(ERROR_RULES).map(([name, rule]): [string, Rule] => [`${name}: errors`, rule]),
    ...Object.entries(LATENCY_RULES).map(([name, rule]): [string, Rule] => [`${name}: latency`, rule]),
  ];
}

/** The same number has another stream in another world, so that worlds are independent of one another. */
function seedOf({ seed, world, part }: RolloutJob, number: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const char of `${part}/${world}/${number}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash ^ (hash >>> 15);
}

function addProduct(stops: Stops, product: ProductStops): void {
  add(stops, PRODUCT, product.any);
  for (const metric of ["errors", "latency", "scores", "quality"] as const) {
    add(stops, `${PRODUCT}: ${metric}`, product[metric]);
  }
  add(stops, `${PRODUCT}: draw voided`, product.voided ? 1 : NEVER);
}

function add(stops: Stops, name: string, stop: number): void {
  const list = stops[name];
  if (list === undefined) stops[name] = [stop];
  else list.push(stop);
}
