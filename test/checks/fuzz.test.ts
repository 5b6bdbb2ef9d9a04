import { describe, expect, test } from "vitest";
import type { FuzzTarget } from "../fuzz/fuzz-target.ts";
import { REGRESSIONS } from "../fuzz/regressions.ts";
import { replay, runTarget } from "../fuzz/run-target.ts";
import { TARGETS } from "../fuzz/targets/targets.ts";

/** The same inputs each time: what a run of every change has to find, it finds again. `npm run fuzz` tries others. */
const SEED = 20_261_123;
/** So many that all of them together take seconds; what starts processes gets few. */
const INPUTS: Readonly<Record<string, number>> = {
  "plan-text": 500,
  "plan-value": 300,
  "policy-cedar": 40,
  "policy-tables": 300,
  bundles: 500,
  junit: 3000,
  "key-files": 5,
  "audit-copies": 2000,
  "model-bytes": 3000,
  "model-replicas": 2,
  "request-bodies": 3000,
  addresses: 3000,
  images: 2000,
  cursors: 2000,
  tables: 300,
  "command-line": 40,
  backups: 200,
  invocations: 150,
  api: 80,
  sockets: 150,
};

describe("seeded inputs", () => {
  test("are listed for every target, and the shares are a whole run", () => {
    expect(Object.keys(INPUTS).sort()).toEqual(TARGETS.map(({ name }) => name).sort());
    expect(Math.round(TARGETS.reduce((sum, { share }) => sum + share, 0))).toBe(1000);
  });

  test.each(TARGETS.map((target) => [target.name, target] as const))("break nothing in %s", async (name, target) => {
    const report = await runTarget(target, { inputs: INPUTS[name] ?? 100, seed: SEED });
    expect(report.failures.map(({ message, input }) => ({ message, input }))).toEqual([]);
    expect(report.inputs).toBe(INPUTS[name]);
  });
});

describe("an input that once broke something", () => {
  test.each(REGRESSIONS.map((regression) => [regression.name, regression] as const))(
    "%s",
    async (_, { target, input }) => {
      await replay(named(target), input);
    },
  );
});

function named(name: string): FuzzTarget {
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined) throw new Error(`there is no target ${name}`);
  return target;
}
