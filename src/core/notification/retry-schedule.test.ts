import { describe, expect, test } from "vitest";
import { ATTEMPTS_MAX, retryDelayMs } from "./retry-schedule.ts";

const delays = (random: number) => Array.from({ length: ATTEMPTS_MAX }, (_, index) => retryDelayMs(index + 1, random));

describe("the schedule of retries", () => {
  test("grows over three days and ends", () => {
    const middle = delays(0.5);
    expect(middle.at(-1)).toBeNull();
    const waits = middle.slice(0, -1).map(Number);
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(waits.reduce((sum, wait) => sum + wait, 0) / 86_400_000).toBeCloseTo(3.14, 1);
  });

  test("spreads by a fifth to each side", () => {
    expect([retryDelayMs(2, 0), retryDelayMs(2, 0.5), retryDelayMs(2, 1)]).toEqual([240_000, 300_000, 360_000]);
  });

  test("waits as long as the receiver asks, and no longer than a day", () => {
    expect(retryDelayMs(1, 0.5, 120)).toBe(120_000);
    expect(retryDelayMs(1, 0.5, 1)).toBe(5000);
    expect(retryDelayMs(1, 0.5, 1e9)).toBe(86_400_000);
    expect(retryDelayMs(ATTEMPTS_MAX, 0.5, 120)).toBeNull();
  });
});
