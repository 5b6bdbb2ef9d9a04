import { describe, expect, it } from "vitest";
import { serviceWatchStateSchema } from "./judge-state.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { ServiceWatch } from "./service-watch.ts";
import { seeded } from "./testing/seeded.ts";

const HEALTHY = { wanted: 2, healthy: 2, failure: null };
const GAP_MS = 200;

function newWatch(): ServiceWatch {
  return new ServiceWatch({
    limits: { errorRateExcessMax: 0.01, latencyRatioMax: 1.5 },
    baseline: { requests: 0, errors: 0, latency: new LatencyHistogram() },
  });
}

interface Serving {
  requests: number;
  fromMs: number;
  errorRate: number;
  times?: number;
  seed?: number;
}

function serve(watch: ServiceWatch, { requests, fromMs, errorRate, times = 1, seed = 1 }: Serving): number {
  const random = seeded(seed);
  let atMs = fromMs;
  for (let n = 0; n < requests; n += 1) {
    atMs += GAP_MS;
    const latencySampled = watch.sample(atMs);
    watch.record({ failed: random() < errorRate, latencyMs: 20 * times * Math.exp(random()), latencySampled, atMs });
  }
  return atMs;
}

function states(watch: ServiceWatch, atMs: number, health: Parameters<ServiceWatch["evaluate"]>[0] = HEALTHY) {
  return statesAt(watch, { atMs, steadyMs: atMs }, health);
}

function statesAt(
  watch: ServiceWatch,
  { atMs, steadyMs }: { atMs: number; steadyMs: number },
  health: Parameters<ServiceWatch["evaluate"]>[0],
) {
  return Object.fromEntries(watch.evaluate(health, atMs, steadyMs).map(({ alarm, state }) => [alarm, state]));
}

describe("the watch over the version that serves", () => {
  it("knows nothing before its baseline, and is content after it", () => {
    const watch = newWatch();
    let atMs = serve(watch, { requests: 900, fromMs: 0, errorRate: 0.01 });
    expect(states(watch, atMs)).toEqual({
      ErrorRateAlarm: "INSUFFICIENT_DATA",
      LatencyAlarm: "INSUFFICIENT_DATA",
      HealthAlarm: "OK",
    });
    atMs = serve(watch, { requests: 20_000, fromMs: atMs, errorRate: 0.01, seed: 2 });
    expect(states(watch, atMs)).toEqual({ ErrorRateAlarm: "OK", LatencyAlarm: "OK", HealthAlarm: "OK" });
  });

  it("alarms when errors rise above the limit, with the numbers, and stops when they are gone", () => {
    const watch = newWatch();
    let atMs = serve(watch, { requests: 3000, fromMs: 0, errorRate: 0.01 });
    atMs = serve(watch, { requests: 500, fromMs: atMs, errorRate: 0.2, seed: 2 });
    const [errors] = watch.evaluate(HEALTHY, atMs + 10_000, atMs + 10_000);
    expect(errors).toMatchObject({ alarm: "ErrorRateAlarm", state: "ALARM" });
    expect(errors?.figures[0]).toMatchObject({ breaching: true });
    expect(errors?.reason).toMatch(/\d+ of the newest \d+ answers failed; the limit is/);
    atMs = serve(watch, { requests: 1000, fromMs: atMs + 10_000, errorRate: 0.005, seed: 3 });
    expect(states(watch, atMs)).toMatchObject({ ErrorRateAlarm: "OK" });
  });

  it("alarms when answers take much longer than at first, and not when by little", () => {
    for (const [times, state] of [
      [3, "ALARM"],
      [1.1, "OK"],
    ] as const) {
      const watch = newWatch();
      const atMs = serve(watch, { requests: 2000, fromMs: 0, errorRate: 0.01 });
      const endMs = serve(watch, { requests: 3000, fromMs: atMs, errorRate: 0.01, times, seed: 5 });
      expect(states(watch, endMs)).toMatchObject({ LatencyAlarm: state, ErrorRateAlarm: "OK" });
    }
  });

  it("alarms for replicas that stay away, and for ones that were given up", () => {
    const watch = newWatch();
    const missing = { wanted: 2, healthy: 1, failure: null };
    expect(states(watch, 0, missing)).toMatchObject({ HealthAlarm: "OK" });
    expect(states(watch, 30_000, missing)).toMatchObject({ HealthAlarm: "OK" });
    expect(states(watch, 61_000, missing)).toMatchObject({ HealthAlarm: "ALARM" });
    expect(states(watch, 62_000)).toMatchObject({ HealthAlarm: "OK" });
    expect(states(watch, 63_000, missing)).toMatchObject({ HealthAlarm: "OK" });
    expect(states(watch, 64_000, { ...missing, failure: "died 5 times" })).toMatchObject({ HealthAlarm: "ALARM" });
  });

  it("raises no false alarm over days of ordinary service", () => {
    const watch = newWatch();
    for (let part = 0, atMs = 0; part < 20; part += 1) {
      atMs = serve(watch, { requests: 10_000, fromMs: atMs, errorRate: 0.01, seed: part + 1 });
      expect(states(watch, atMs)).toMatchObject({ ErrorRateAlarm: "OK", LatencyAlarm: "OK" });
    }
  });

  it("goes on after a restart with its baseline and its alarm", () => {
    const watch = newWatch();
    let atMs = serve(watch, { requests: 3000, fromMs: 0, errorRate: 0.01 });
    atMs = serve(watch, { requests: 500, fromMs: atMs, errorRate: 0.3, seed: 2 });
    const before = states(watch, atMs + 10_000);
    const kept = serviceWatchStateSchema.parse(JSON.parse(JSON.stringify(watch.toState())));
    expect(states(ServiceWatch.fromState(kept), atMs + 10_000)).toEqual(before);
    expect(before).toMatchObject({ ErrorRateAlarm: "ALARM" });
  });

  it("takes no replica that just died for one that is missing since the clock was set ahead", () => {
    const watch = newWatch();
    const missing = { wanted: 4, healthy: 3, failure: null };
    expect(statesAt(watch, { atMs: 0, steadyMs: 0 }, missing)).toMatchObject({ HealthAlarm: "OK" });
    const jumped = { atMs: 3_600_000, steadyMs: 1000 };
    expect(statesAt(watch, jumped, missing)).toMatchObject({ HealthAlarm: "OK" });
    expect(statesAt(watch, { atMs: 0, steadyMs: 61_000 }, missing)).toMatchObject({ HealthAlarm: "ALARM" });
  });

  it("is not held up by a clock that is set back", () => {
    const watch = newWatch();
    const atMs = serve(watch, { requests: 2000, fromMs: 1e9, errorRate: 0.01 });
    const endMs = serve(watch, { requests: 600, fromMs: atMs - 5e8, errorRate: 0.4, seed: 2 });
    expect(states(watch, endMs + 10_000)).toMatchObject({ ErrorRateAlarm: "ALARM" });
  });
});
