import { describe, expect, it } from "vitest";
import { BlockGuard } from "./block-guard.ts";
import { normal, seeded } from "./testing/seeded.ts";

function run(options: { seed: number; minutes: number; shift: (atMs: number) => number }): BlockGuard {
  const random = seeded(options.seed);
  const guard = new BlockGuard();
  for (let atMs = 0; atMs < options.minutes * 60_000; atMs += 250) {
    const candidate = random() < 0.2;
    guard.update(candidate, 0.5 * normal(random) + (candidate ? options.shift(atMs) : 0), atMs);
  }
  return guard;
}

describe("the guard over blocks of time", () => {
  it("finds a candidate whose scores are higher, after a few minutes and not before", () => {
    expect(run({ seed: 1, minutes: 1, shift: () => 0.3 }).evidence).toBeLessThan(100);
    expect(run({ seed: 1, minutes: 12, shift: () => 0.3 }).evidence).toBeGreaterThan(1000);
  });

  it("finds a change that begins late", () => {
    expect(run({ seed: 2, minutes: 50, shift: (atMs) => (atMs < 35 * 60_000 ? 0 : 0.3) }).evidence).toBeGreaterThan(
      1000,
    );
  });

  it("rarely takes equal arms, or better ones, for worse", () => {
    const evidence = Array.from({ length: 100 }, (_, seed) => run({ seed, minutes: 20, shift: () => 0 }).evidence);
    expect(evidence.filter((each) => each >= 20).length).toBeLessThanOrEqual(9);
    expect(run({ seed: 3, minutes: 20, shift: () => -0.5 }).evidence).toBeLessThan(1);
  });

  it("waits for both arms where little comes", () => {
    const guard = new BlockGuard();
    for (let n = 0; n < 100; n += 1) guard.update(false, 1, n * 60_000);
    for (let n = 0; n < 4; n += 1) guard.update(true, 1, 6_000_000 + n);
    guard.update(false, 1, 7_000_000);
    expect(guard.blocks).toBe(0);
    guard.update(true, 1, 7_100_000);
    guard.update(true, 1, 7_200_000);
    expect(guard.blocks).toBe(1);
  });
});
