import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Errand, type ErrandOptions } from "./errand.ts";

async function during(
  ms: number,
  options: Partial<ErrandOptions>,
  act: (errand: Errand) => Promise<void> | void = () => undefined,
): Promise<number> {
  let begun = 0;
  const { work = async () => undefined, ...rest } = options;
  const errand = new Errand({
    ...{ fastestMs: 10, slowestMs: 60_000, onFailure: () => undefined, ...rest },
    work: async () => {
      begun += 1;
      return work();
    },
  });
  const stop = new AbortController();
  const run = errand.run(stop.signal);
  await act(errand);
  await sleep(ms);
  stop.abort();
  await run;
  return begun;
}

test("it is done once at the start, and then rests until somebody calls for it", async () => {
  expect(await during(100, {})).toBe(1);
  const called = await during(100, {}, async (errand) => {
    await sleep(30);
    errand.call();
  });
  expect(called).toBe(2);
});

test("calls that come together are answered together, and never sooner than it may be done again", async () => {
  const called = await during(50, { fastestMs: 10_000 }, (errand) => {
    for (let index = 0; index < 20; index += 1) errand.call();
  });
  expect(called).toBe(1);
});

test("it says itself when it is due again, and the safety net brings it back when nobody does", async () => {
  let left = 2;
  expect(await during(200, { work: async () => (left-- > 0 ? 10 : undefined) })).toBe(3);
  expect(await during(200, { slowestMs: 20 })).toBeGreaterThan(2);
});

test("what fails is told and done again", async () => {
  const failures: unknown[] = [];
  const work = async () => {
    throw new Error("gone");
  };
  expect(await during(700, { work, onFailure: (error) => failures.push(error) })).toBe(2);
  expect(failures).toHaveLength(2);
});
