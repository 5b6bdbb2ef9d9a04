import { describe, expect, it } from "vitest";
import { LatencyHistogram } from "./latency-histogram.ts";

describe("latencies in buckets", () => {
  it("knows no quantile before the first record", () => {
    expect(new LatencyHistogram().quantile(0.5)).toBeNull();
  });

  it("answers quantiles within 5 % over five orders of magnitude", () => {
    for (const scaleMs of [0.05, 1, 30, 900, 20_000]) {
      const histogram = new LatencyHistogram();
      for (let n = 1; n <= 1000; n += 1) histogram.record((scaleMs * n) / 1000);
      for (const share of [0.5, 0.9, 0.99]) {
        const ratio = (histogram.quantile(share) ?? 0) / (scaleMs * share);
        expect(ratio).toBeGreaterThan(0.999);
        expect(ratio).toBeLessThan(1.051);
      }
    }
  });

  it("puts what is out of range into its outermost buckets", () => {
    const histogram = new LatencyHistogram();
    histogram.record(0);
    expect(histogram.quantile(1)).toBeCloseTo(0.01);
    histogram.record(1e9);
    expect(histogram.quantile(1)).toBeGreaterThan(90_000);
  });

  it("follows a service whose speed changes once the past is halved", () => {
    const histogram = new LatencyHistogram();
    for (let n = 0; n < 1000; n += 1) histogram.record(10);
    histogram.halve();
    expect(histogram.total).toBe(500);
    for (let n = 0; n < 600; n += 1) histogram.record(40);
    expect(histogram.quantile(0.5)).toBeGreaterThan(38);
  });
});
