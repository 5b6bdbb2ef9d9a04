import { describe, expect, it } from "vitest";
import { CaptureInflow, fairLevel } from "./capture-inflow.ts";

describe("how fast a capture grows", () => {
  const sized = (size: number) => ({ "a.jsonl": { offset: 0, size } });

  it("is what was added in the last seconds, and nothing that was there before the first look", () => {
    const inflow = new CaptureInflow();
    inflow.saw({}, sized(1e9), 0);
    expect(inflow.bytesPerSecond(0)).toBe(0);
    for (let second = 1; second <= 60; second += 1)
      inflow.saw(sized(1e9 + (second - 1) * 1000), sized(1e9 + second * 1000), second * 1000);
    expect(inflow.bytesPerSecond(60_000)).toBeGreaterThan(950);
    expect(inflow.bytesPerSecond(60_000)).toBeLessThan(1105);
    expect(inflow.bytesPerSecond(160_000)).toBeLessThan(1);
  });

  it("counts a burst by what it comes to in five seconds", () => {
    const inflow = new CaptureInflow();
    inflow.saw({}, {}, 0);
    inflow.saw({}, sized(5000), 1000);
    expect(inflow.bytesPerSecond(1000)).toBe(1000);
  });
});

describe("what each may have of a total", () => {
  it("is all where there is enough, and else as much as each other for those who want more", () => {
    expect(fairLevel([], 10)).toBe(Number.POSITIVE_INFINITY);
    expect(fairLevel([4, 6], 10)).toBe(Number.POSITIVE_INFINITY);
    expect(fairLevel([100, 2], 10)).toBe(8);
    expect(fairLevel([100, 50, 1], 11)).toBe(5);
  });
});
