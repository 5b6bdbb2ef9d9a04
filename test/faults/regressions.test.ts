import { expect, it } from "vitest";
import { MUTANTS, type Mutant } from "./mutants.ts";
import type { Strategy } from "./people.ts";
import { REGRESSIONS } from "./regressions.ts";
import { simulate } from "./simulation.ts";

it.each(REGRESSIONS)("$name stays mended", async ({ seed, strategy, mutant }) => {
  await simulate(seed, { strategy });
  // A seed in which the bug would not show proves nothing.
  const shows = await broken(seed, strategy, mutant);
  if (shows === null) expect.unreachable(`seed ${seed} shows it no more; take ${await anotherSeed(strategy, mutant)}`);
  expect(String(shows)).toMatch(MUTANTS[mutant].rule);
});

function broken(seed: number, strategy: Strategy, mutant: Mutant): Promise<unknown> {
  return simulate(seed, { strategy, mutant }).then(
    () => null,
    (error: unknown) => error,
  );
}

async function anotherSeed(strategy: Strategy, mutant: Mutant): Promise<number | null> {
  for (let seed = 1; seed <= 3_000; seed += 1) if ((await broken(seed, strategy, mutant)) !== null) return seed;
  return null;
}
