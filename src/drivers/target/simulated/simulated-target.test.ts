import { describe, expect, it } from "vitest";
import { targetConformance } from "../target.conformance.ts";
import type { Effect, Guard, VersionSpec } from "../target.ts";
import type { SimulatedFault } from "./simulated-fault.ts";
import { MemorySimulatedStore } from "./simulated-store.ts";
import { SimulatedTarget, type SimulatedTargetOptions } from "./simulated-target.ts";

const GUARD: Guard = {
  alpha: 0.01,
  requestsMin: 10,
  errorRateExcessMax: 0.01,
  latencyRatioMax: 1.5,
  onHealthCheckFailure: true,
};
const AT = { tenant: "acme", endpoint: { environment: "staging", target: "simulated", name: "churn" } } as const;

function version(variant: string, overrides: Partial<VersionSpec> = {}): VersionSpec {
  return {
    variant,
    modelName: "churn",
    modelVersion: `${variant}.0.0`,
    artifactDigest: `sha256:${"a".repeat(64)}`,
    instanceType: "ml.m5.large",
    instanceCount: 1,
    planDigest: `sha256:${"b".repeat(64)}`,
    ...overrides,
  };
}

function effect(generation: number): Effect {
  return { ...AT, generation, idempotencyKey: `r/${generation}/effect` };
}

function simulated(options: Partial<SimulatedTargetOptions> = {}): SimulatedTarget {
  return new SimulatedTarget({ store: new MemorySimulatedStore(), nowMs: () => 1000, ...options });
}

targetConformance("simulated", async () => ({ target: simulated(), version, dispose: async () => undefined }));

describe("the simulated target", () => {
  it("shares its endpoints between two targets on one store", async () => {
    const store = new MemorySimulatedStore();
    await simulated({ store }).provision(effect(1), version("v1"));
    expect((await simulated({ store }).describe(AT))?.variants).toMatchObject([{ variant: "v1" }]);
  });

  it("fails as told, with nothing changed", async () => {
    let fault: SimulatedFault | undefined = { kind: "fail", retryable: false };
    const target = simulated({ faults: () => fault });
    await expect(target.provision(effect(1), version("v1"))).rejects.toMatchObject({ retryable: false });
    fault = { kind: "time-out" };
    await expect(target.provision(effect(1), version("v1"))).rejects.toMatchObject({
      code: "unreachable",
      retryable: true,
    });
    fault = undefined;
    expect(await target.describe(AT)).toBeUndefined();
  });

  it("loses an answer after the effect took place, so that the repeat finds it done", async () => {
    let fault: SimulatedFault | undefined = { kind: "lose-answer" };
    const target = simulated({ faults: () => fault });
    await expect(target.provision(effect(1), version("v1"))).rejects.toMatchObject({ code: "unreachable" });
    fault = undefined;
    expect((await target.describe(AT))?.variants).toMatchObject([{ variant: "v1" }]);
    await target.provision(effect(1), version("v1"));
    expect((await target.describe(AT))?.variants).toHaveLength(1);
  });

  it("lies: an effect that did nothing, a verdict that is its opposite", async () => {
    let fault: SimulatedFault | undefined = { kind: "lie" };
    const target = simulated({ faults: () => fault });
    await target.provision(effect(1), version("v1"));
    fault = undefined;
    expect(await target.describe(AT)).toBeUndefined();
    await target.provision(effect(2), version("v1"));
    await target.shift(effect(3), { percent: 100, guard: GUARD });
    expect((await target.observe(AT)).verdict.outcome).toBe("pass");
    fault = { kind: "lie" };
    expect((await target.observe(AT)).verdict.outcome).toBe("fail");
  });

  it("delays on the simulation's clock", async () => {
    const slept: number[] = [];
    const target = simulated({
      faults: () => ({ kind: "delay", milliseconds: 250 }),
      sleep: async (milliseconds) => void slept.push(milliseconds),
    });
    await target.observe(AT);
    expect(slept).toEqual([250]);
  });

  it("trips like the local one: traffic goes back to stable and the verdict fails", async () => {
    const target = simulated({
      behaviour: ({ variant }) => ({
        outcome: variant === "v2" ? "fail" : "pass",
        errorRate: 0.5,
        latencyMs: 2,
        trips: true,
      }),
    });
    await target.provision(effect(1), version("v1"));
    await target.promote(effect(2));
    await target.provision(effect(3), version("v2"));
    await target.shift(effect(4), { percent: 10, guard: GUARD });
    const observed = await target.observe(AT);
    expect(observed).toMatchObject({
      candidatePercent: 0,
      tripped: { atMs: 1000, candidateRequests: 100, candidateErrors: 50 },
    });
    expect(observed.verdict.outcome).toBe("fail");
    await expect(target.shift(effect(5), { percent: 20, guard: GUARD })).rejects.toMatchObject({ code: "tripped" });
  });
});
