import { describe, expect, it } from "vitest";
import { InvariantBroken, simulate } from "./simulation.ts";
import type { Sabotage } from "./tiny-engine.ts";

const only = process.env.SIMULATION_SEED;
const seeds = Number(process.env.SIMULATION_SEEDS ?? 300);

describe.skipIf(only === undefined)("the replayed seed", () => {
  it(`${only} keeps every rule`, async () => {
    const { trace, ends } = await simulate(Number(only));
    console.log(trace.join("\n"), ends);
  });
});

describe.skipIf(only !== undefined)("rollouts among crashes, lies and late calls", () => {
  it(`keep every rule on ${seeds} seeds`, { timeout: 30_000 + seeds * 200 }, async () => {
    const reached = new Set<string>();
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { ends, crashes, fates } = await simulate(seed);
      for (const name of [...ends.keys(), ...crashes.keys(), ...fates.keys()]) reached.add(name);
    }
    // A simulation in which nothing goes wrong, or nothing goes well, proves nothing.
    const ends = [
      "Succeeded",
      "RolledBack",
      "Failed",
      "Denied",
      "Rejected",
      "Expired",
      "Superseded",
      "Aborted",
      "DryRunCompleted",
    ];
    const crashes = ["claimed", "performed", "committed", "watching", "retrying"];
    const fates = ["delivered", "refused", "lied about", "answer lost", "late", "slow"];
    expect([...reached]).toEqual(expect.arrayContaining([...ends, ...crashes, ...fates]));
  });

  it("run the same way twice", async () => {
    for (const seed of [7, 77, 777]) expect(await simulate(seed)).toEqual(await simulate(seed));
  });
});

describe.skipIf(only !== undefined)("a broken promise is noticed", () => {
  it.each<[string, Sabotage, RegExp]>([
    ["a target that takes old generations", { generations: true }, /undoes what came after it/],
    ["an answer that nobody fences", { fence: true }, /refused the answer|took the answer/],
    ["a job that was lost with its queue", { queue: true }, /0 jobs while \w+ is outstanding/],
  ])("%s", async (_, sabotage, rule) => {
    const noticed = async (): Promise<unknown> => {
      for (let seed = 1; seed <= 300; seed += 1) {
        const broken = await simulate(seed, sabotage).then(
          () => null,
          (error: unknown) => error,
        );
        if (broken !== null) return broken;
      }
      return null;
    };
    const broken = await noticed();
    expect(broken).toBeInstanceOf(InvariantBroken);
    expect(String(broken)).toMatch(rule);
    expect(String(broken)).toMatch(/replay with SIMULATION_SEED=\d+/);
  });
});
