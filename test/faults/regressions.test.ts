import { expect, it } from "vitest";
import { MUTANTS, type Mutant } from "./mutants.ts";
import type { Strategy } from "./people.ts";
import { REGRESSIONS } from "./regressions.ts";
import { simulate } from "./simulation.ts";

/** A change of the reducer or of the simulation moves the runs in which a bug would show. */
const SEARCHED = 500;

it.each(REGRESSIONS)("$name stays mended", async ({ name, seed, strategy, mutant }) => {
  // A seed in which the bug would not show proves nothing.
  const { at, error } = await shown({ from: seed, strategy, mutant });
  if (at !== seed) console.log(`${name}: seed ${seed} shows it no more and ${at} does; regressions.ts may say so`);
  expect(String(error)).toMatch(MUTANTS[mutant].rule);
  await simulate(at, { strategy });
});

async function shown(by: {
  from: number;
  strategy: Strategy;
  mutant: Mutant;
}): Promise<{ at: number; error: unknown }> {
  const { from, strategy, mutant } = by;
  for (let at = from; at < from + SEARCHED; at += 1) {
    try {
      await simulate(at, { strategy, mutant });
    } catch (error) {
      return { at, error };
    }
  }
  throw new Error(`nothing shows ${mutant} in ${SEARCHED} seeds from ${from}: the simulation has become blind to it`);
}
