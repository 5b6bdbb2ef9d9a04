import type { Minutes } from "../minutes.ts";
import type { RolloutStream } from "../rollout-stream.ts";
import type { World } from "../world.ts";

/** Of a rollout, in both forms in which rules look at one. */
export interface Seen {
  stream: RolloutStream;
  minutes: Minutes;
  world: World;
}

/** After how many requests of both arms the rule rolls the candidate back; -1 when it never does. */
export type Rule = (seen: Seen) => number;

export const NEVER = -1;

/** The same rule on either metric. */
export type Metric = "errors" | "latency";
