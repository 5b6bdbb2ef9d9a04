import { describe, expect, it } from "vitest";
import { LatencySampler } from "./latency-sampler.ts";

function sampled(gapMs: number, requests: number): number {
  const sampler = new LatencySampler();
  let count = 0;
  for (let n = 0; n < requests; n += 1) if (sampler.sample(n * gapMs)) count += 1;
  return count;
}

describe("whose latency is judged", () => {
  it("is everyone's where requests come one by one", () => {
    expect(sampled(180, 1000)).toBe(1000);
    expect(sampled(60, 1000)).toBe(1000);
  });

  it("is about five a second under load", () => {
    const count = sampled(2, 10_000);
    expect(count).toBeGreaterThan(80);
    expect(count).toBeLessThan(140);
  });

  it("is everyone's again when the load is over", () => {
    const sampler = new LatencySampler();
    for (let n = 0; n < 5000; n += 1) sampler.sample(n);
    let count = 0;
    for (let n = 0; n < 100; n += 1) if (sampler.sample(7000 + n * 200)) count += 1;
    expect(count).toBe(100);
  });
});
