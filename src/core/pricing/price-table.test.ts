import { describe, expect, it } from "vitest";
import { parsePriceTable, priceOf, wholeMicroUsdWithin } from "./price-table.ts";

const table = (usd: number) =>
  JSON.stringify({ asOf: "2026-11-01", source: "s", confidence: "c", region: "r", usdPerHour: { "ml.m5.large": usd } });

describe("a price table", () => {
  it("refuses prices that would round to nothing, and prices of nothing", () => {
    expect([0, -1, 4e-7, 9e-7].map((usd) => parsePriceTable(table(usd)).ok)).toEqual([false, false, false, false]);
    expect(parsePriceTable(table(0.000_001)).ok).toBe(true);
  });

  it("has no price for what it does not list, whatever the name", () => {
    const parsed = parsePriceTable(table(0.115));
    if (!parsed.ok) throw new Error(parsed.problem.message);
    const names = ["ml.m5.large", "ml.m5.larg", "toString", "__proto__", "constructor"];
    expect(names.map((name) => priceOf(parsed.value, name))).toEqual([115_000, ...Array(4).fill(undefined)]);
  });
});

describe("a cap in whole micro-dollars", () => {
  it.each([
    [0.115, 115_000],
    [0.1149996, 114_999],
    [0.1150004, 115_000],
    [1.005, 1_005_000],
    [0.29, 290_000],
    [1e-9, 0],
    [1e9, 1e15],
  ])("of %d is never more than what was written: %i", (usd, micros) => {
    expect(wholeMicroUsdWithin(usd)).toBe(micros);
  });
});
