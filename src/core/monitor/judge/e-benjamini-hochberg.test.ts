import { describe, expect, it } from "vitest";
import { eBenjaminiHochberg, evidenceOfHosts } from "./e-benjamini-hochberg.ts";

describe("e-BH", () => {
  it("needs K / alpha of one column alone, and less of each where several agree", () => {
    expect(eBenjaminiHochberg([1, 399, 0.2, 1], 0.01)).toEqual({ rejected: [], threshold: 400 });
    expect(eBenjaminiHochberg([1, 400, 0.2, 1], 0.01)).toEqual({ rejected: [1], threshold: 400 });
    expect(eBenjaminiHochberg([201, 200, 0.2, 1], 0.01)).toEqual({ rejected: [0, 1], threshold: 200 });
    expect(eBenjaminiHochberg([101, 100, 250, 150], 0.01)).toEqual({ rejected: [2, 3, 0, 1], threshold: 100 });
  });

  it("takes as many as it can, also when a smaller number would not do", () => {
    // 150 is under 400 and under 200, but three times 134 is enough.
    expect(eBenjaminiHochberg([150, 140, 135, 1], 0.01).rejected).toEqual([0, 1, 2]);
  });

  it("rejects nothing of nothing", () => {
    expect(eBenjaminiHochberg([], 0.01).rejected).toEqual([]);
  });
});

describe("evidence of several hosts", () => {
  it("is the largest, divided by how many there are", () => {
    expect(evidenceOfHosts([300, 1, 2])).toBe(100);
    expect(evidenceOfHosts([7])).toBe(7);
    expect(evidenceOfHosts([])).toBe(1);
  });
});
