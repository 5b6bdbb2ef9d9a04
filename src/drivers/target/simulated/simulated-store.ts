import type { Guard, Observation, VersionSpec } from "../target.ts";

/** One endpoint as the simulation holds it. Plain JSON, so that any store can keep it. */
export interface SimulatedEndpoint {
  /** The newest generation that was seen. */
  generation: number;
  doneKeys: string[];
  stable: VersionSpec | null;
  candidate: VersionSpec | null;
  candidatePercent: number;
  guard: Guard | null;
  tripped: Observation["tripped"];
  /** How often `observe` was asked since the weights were set: simulated traffic grows with it. */
  looks: number;
}

/**
 * Where the simulation keeps its endpoints, so that several processes can share them. `load` answers undefined for a
 * key that was never saved. Who shares one between writers must run `load` and the `save` that follows as one step.
 */
export interface SimulatedStore {
  load(key: string): Promise<SimulatedEndpoint | undefined>;
  save(key: string, state: SimulatedEndpoint): Promise<void>;
}

/** For one process: values are copied in and out, as a database would. */
export class MemorySimulatedStore implements SimulatedStore {
  readonly #states = new Map<string, string>();

  load(key: string): Promise<SimulatedEndpoint | undefined> {
    const text = this.#states.get(key);
    const state: SimulatedEndpoint | undefined = text === undefined ? undefined : JSON.parse(text);
    return Promise.resolve(state);
  }

  save(key: string, state: SimulatedEndpoint): Promise<void> {
    this.#states.set(key, JSON.stringify(state));
    return Promise.resolve();
  }

  get keys(): string[] {
    return [...this.#states.keys()];
  }
}
