import { describe, expect, it } from "vitest";
import type { Phase } from "../../src/core/rollout/rollout.ts";
import { MUTANTS, type Mutant } from "./mutants.ts";
import { STRATEGIES } from "./people.ts";
import { InvariantBroken, type SimulationOptions, simulate } from "./simulation.ts";
import { FAULTS, type Fault } from "./tally.ts";

const only = process.env.SIMULATION_SEED;
const named = process.env.SIMULATION_STRATEGY;
/** Of each strategy. */
const seeds = Number(process.env.SIMULATION_SEEDS ?? 120);
const strategies = STRATEGIES.filter((strategy) => named === undefined || strategy === named);

it.skipIf(named === undefined)(`${named} is a strategy`, () => {
  expect(strategies).toHaveLength(1);
});

describe.skipIf(only === undefined)("the replayed seed", () => {
  it(`${only} keeps every rule`, async () => {
    const { trace, ends, faults } = await simulate(Number(only), {
      strategy: strategies.length > 1 ? undefined : strategies[0],
    });
    console.log(trace.join("\n"), ends, faults);
  });
});

describe.skipIf(only !== undefined)("rollouts among crashes, lies and late calls", () => {
  const faults = new Map<Fault, number>();
  const ends = new Map<Phase, number>();

  it.each(strategies)(
    `of the strategy %s keep every rule on ${seeds} seeds`,
    { timeout: 30_000 + seeds * 200 },
    async (strategy) => {
      for (let seed = 1; seed <= seeds; seed += 1) {
        const run = await simulate(seed, { strategy });
        for (const [fault, count] of run.faults) faults.set(fault, (faults.get(fault) ?? 0) + count);
        for (const [phase, count] of run.ends) ends.set(phase, (ends.get(phase) ?? 0) + count);
      }
    },
  );

  // A simulation in which nothing goes wrong, or nothing goes well, proves nothing.
  it("go wrong in every way that was thought of, and end in every way", () => {
    if (process.env.SIMULATION_SEEDS !== undefined) console.log(faults, ends);
    expect([...faults.keys()].sort()).toEqual([...FAULTS].sort());
    expect([...ends.keys()].sort()).toEqual(
      [
        ...["Succeeded", "RolledBack", "Failed", "Denied", "Rejected", "Expired", "Superseded", "Aborted"],
        "DryRunCompleted",
      ].sort(),
    );
  });

  it("run the same way twice", async () => {
    for (const seed of [7, 77, 777]) expect(await simulate(seed)).toEqual(await simulate(seed));
  });
});

describe.skipIf(only !== undefined)("a program that is wrong is found out", () => {
  it.each(Object.entries(MUTANTS))("%s", async (mutant, { rule }) => {
    const broken = await firstBroken({ mutant: mutant as Mutant });
    expect(broken).toBeInstanceOf(InvariantBroken);
    expect(String(broken)).toMatch(rule);
    expect(String(broken)).toMatch(/replay with SIMULATION_SEED=\d+/);
  });
});

async function firstBroken(options: SimulationOptions): Promise<unknown> {
  for (let seed = 1; seed <= 400; seed += 1) {
    try {
      await simulate(seed, options);
    } catch (error) {
      return error;
    }
  }
  return null;
}
