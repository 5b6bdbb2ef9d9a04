import { describe, expect, it } from "vitest";
import { areaUnderRoc, classifierMetrics } from "./metrics.ts";

describe("areaUnderRoc", () => {
  it("counts the pairs in the right order, and ties as half", () => {
    // Of the four pairs, .8 beats .1 and .4, .35 beats .1 and loses to .4.
    expect(areaUnderRoc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])).toBe(0.75);
    expect(areaUnderRoc([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1);
    expect(areaUnderRoc([4, 3, 2, 1], [0, 0, 1, 1])).toBe(0);
    expect(areaUnderRoc([7, 7, 7], [0, 1, 0])).toBe(0.5);
    expect(areaUnderRoc([1, 2, 2, 3], [0, 0, 1, 1])).toBe(0.875);
  });

  it("has no meaning for one class", () => {
    expect(() => areaUnderRoc([0.1, 0.2], [1, 1])).toThrow("both classes");
  });
});

describe("classifierMetrics", () => {
  it("counts what lies on the right side of one half, and a half itself as 0", () => {
    const metrics = classifierMetrics([0.9, 0.5, 0.2, 0.6], [1, 0, 1, 0]);
    expect(metrics.accuracy).toBe(0.5);
    expect(metrics.rows).toBe(4);
    expect(metrics.logLoss).toBeCloseTo(-(Math.log(0.9) + Math.log(0.5) + Math.log(0.2) + Math.log(0.4)) / 4, 12);
  });

  it("keeps the loss of a confident mistake finite", () => {
    expect(classifierMetrics([0, 0.2], [1, 0]).logLoss).toBeLessThan(20);
  });
});
