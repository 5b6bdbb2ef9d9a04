import type { SimulatedBehaviour } from "../../src/drivers/target/simulated/simulated-fault.ts";
import type { SimulatedEndpoint, SimulatedStore } from "../../src/drivers/target/simulated/simulated-store.ts";
import { keyOf, SimulatedTarget } from "../../src/drivers/target/simulated/simulated-target.ts";
import type { TenantEndpoint } from "../../src/drivers/target/target.ts";
import type { Random } from "./random.ts";
import type { Tally } from "./tally.ts";

export type Quality = "good" | "bad" | "silent";

export interface HostParts {
  nowMs: () => number;
  random: Random;
  tally: Tally;
  quality: (variant: string) => Quality;
  /** Share of shifts that are reported as done and were not. */
  lieRate: number;
  /** Called just before an effect, named by its idempotency key, is kept; `newest` is the generation seen before. */
  onEffect: (effect: { key: string; generation: number; newest: number }) => void;
  /** Breaks the promise that older generations are refused, to see it noticed. */
  ignoresGenerations: boolean;
}

/** The simulated target, on a store that can be looked into at any moment and sees every change. */
export class SimulatedHost {
  readonly target: SimulatedTarget;
  private readonly endpoints = new Map<string, SimulatedEndpoint>();
  /** The newest generation that was ever kept, also when the target forgets it. */
  private readonly newest = new Map<string, number>();
  private readonly parts: HostParts;

  constructor(parts: HostParts) {
    this.parts = parts;
    this.target = new SimulatedTarget({
      store: this.store(),
      nowMs: parts.nowMs,
      behaviour: ({ variant }, looks) => behaviourOf(parts.quality(variant), looks),
      faults: ({ method }) => {
        if (method !== "shift" || !parts.random.chance(parts.lieRate)) return undefined;
        parts.tally.add("target lied about success");
        return { kind: "lie" };
      },
    });
  }

  /** What is there now; undefined when nothing ever was. */
  served(at: TenantEndpoint): SimulatedEndpoint | undefined {
    return this.endpoints.get(keyOf(at));
  }

  all(): Iterable<SimulatedEndpoint> {
    return this.endpoints.values();
  }

  private store(): SimulatedStore {
    const { onEffect, ignoresGenerations } = this.parts;
    return {
      load: async (key) => {
        const state = structuredClone(this.endpoints.get(key));
        return state !== undefined && ignoresGenerations ? { ...state, generation: 0 } : state;
      },
      save: async (key, state) => {
        const before = this.endpoints.get(key);
        const newest = this.newest.get(key) ?? 0;
        this.newest.set(key, Math.max(newest, state.generation));
        for (const done of state.doneKeys) {
          if (!before?.doneKeys.includes(done)) onEffect({ key: done, generation: state.generation, newest });
        }
        this.endpoints.set(key, structuredClone(state));
      },
    };
  }
}

/** The first looks never tell enough. A bad version loses its traffic by itself when there is one to give it back to. */
function behaviourOf(quality: Quality, looks: number): SimulatedBehaviour {
  const told = { good: "pass", bad: "fail", silent: "inconclusive" } as const;
  const outcome = looks < 2 ? "inconclusive" : told[quality];
  return { outcome, errorRate: quality === "bad" ? 0.5 : 0, latencyMs: 2, trips: quality === "bad" };
}
