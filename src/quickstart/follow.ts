import type { RolloutEventView } from "../surfaces/cli/client.ts";
import { followRollout, type RolloutDetail } from "../surfaces/cli/follow-rollout.ts";
import type { Stage } from "./stage.ts";

export type Rollout = RolloutDetail;

export interface Following {
  live?: () => string;
  /** When a bake ends: its share of traffic and when it began. */
  onBakeEnd?: (percent: number, sinceMs: number) => void;
  /** Before a phase is said, what else is to be said of the event. */
  onEvent?: (event: RolloutEventView) => void;
  /** Events up to this one were told already. */
  after?: number;
}

type Follower = Pick<Stage, "narrator" | "api">;

/** Prints a rollout's phases as they happen, until it ends. */
export async function follow(stage: Follower, started: Rollout, following: Following = {}): Promise<Rollout> {
  const { narrator, api } = stage;
  const ticker = setInterval(() => following.live !== undefined && narrator.live(following.live()), 250);
  const beganAtMs = Date.parse(started.createdAt);
  let bake: { percent: number; sinceMs: number } | undefined;
  let lastPhase = "";
  const onEvent = (event: RolloutEventView) => {
    following.onEvent?.(event);
    if (bake !== undefined && (event.phase !== "Baking" || event.weightPercent !== bake.percent)) {
      following.onBakeEnd?.(bake.percent, bake.sinceMs);
      bake = undefined;
    }
    if (event.phase === "Baking") bake ??= { percent: event.weightPercent, sinceMs: Date.now() };
    const phase = event.phase === "Baking" ? `Baking with ${event.weightPercent} % of the traffic` : event.phase;
    if (phase !== lastPhase) narrator.say(`+${seconds(Date.parse(event.at) - beganAtMs).padEnd(8)} ${phase}`);
    lastPhase = phase;
  };
  try {
    return await followRollout({ client: api, id: started.id, onEvent, after: following.after ?? 0 });
  } finally {
    clearInterval(ticker);
  }
}

/** How a rollout ended, and why. */
export function ended(rollout: Pick<Rollout, "phase" | "reason" | "refusals">): string {
  const refusals = rollout.refusals.map(({ clause, message }) => `${clause}: ${message}`).join("; ");
  return [rollout.phase, rollout.reason?.message, refusals].filter(Boolean).join(": ");
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
