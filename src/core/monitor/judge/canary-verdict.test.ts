import { describe, expect, it } from "vitest";
import { ArmWindow } from "./arm-window.ts";
import { CanaryJudge, type JudgeGuard } from "./canary-judge.ts";
import { canaryVerdict, type Measured } from "./canary-verdict.ts";
import { seeded } from "./testing/seeded.ts";

const GUARD: JudgeGuard = {
  alpha: 0.01,
  requestsMin: 50,
  errorRateExcessMax: 0.01,
  latencyRatioMax: 1.5,
  onHealthCheckFailure: true,
};

function windowOf(counts: { requests: number; errors?: number; latencyMs?: number }): ArmWindow {
  const arm = new ArmWindow();
  for (let n = 0; n < counts.requests; n += 1)
    arm.record({ failed: n < (counts.errors ?? 0), latencyMs: counts.latencyMs ?? 10 });
  return arm;
}

function judged(overrides: Partial<Measured> = {}, guard: Partial<JudgeGuard> = {}): Measured {
  return {
    judge: new CanaryJudge({ guard: { ...GUARD, ...guard }, stableSoFar: { requests: 1000, errors: 10 } }),
    candidate: windowOf({ requests: 100 }),
    stable: windowOf({ requests: 900 }),
    percent: 10,
    health: { wanted: 2, healthy: 2, failure: null, stableWanted: 2 },
    tripped: null,
    ...overrides,
  };
}

describe("the verdict on a candidate beside stable", () => {
  it("passes with enough requests, no alarm, good health, and errors within the limit that it calls not proven", () => {
    const verdict = canaryVerdict(judged());
    expect(verdict.outcome).toBe("pass");
    expect(verdict.metrics.map(({ metric }) => metric).sort()).toEqual([
      "assignment",
      "errors",
      "health",
      "latency",
      "traffic",
    ]);
    expect(verdict.metrics.find(({ metric }) => metric === "errors")?.message).toContain(
      "explicit limit of 1 % more, not proven",
    );
  });

  it.each([
    ["no traffic at all", { candidate: windowOf({ requests: 0 }), stable: windowOf({ requests: 0 }) }],
    ["no share of the traffic", { percent: 0 }],
    ["one request too few", { candidate: windowOf({ requests: 49 }) }],
    ["a replica missing", { health: { wanted: 2, healthy: 1, failure: null, stableWanted: 2 } }],
    ["more errors than allowed, and not proven", { candidate: windowOf({ requests: 100, errors: 3 }) }],
  ] satisfies [string, Partial<Measured>][])("is inconclusive with %s", (_what, overrides) => {
    expect(canaryVerdict(judged(overrides)).outcome).toBe("inconclusive");
  });

  it("never passes without a request even when none is asked for", () => {
    const measured = judged({ candidate: windowOf({ requests: 0 }) }, { requestsMin: 0 });
    expect(canaryVerdict(measured).outcome).toBe("inconclusive");
  });

  it("fails when the supervisor gave the candidate up, unless health is not to count", () => {
    const health = { wanted: 2, healthy: 0, failure: "the replicas died 3 times", stableWanted: 2 };
    const verdict = canaryVerdict(judged({ health }));
    expect(verdict.outcome).toBe("fail");
    expect(verdict.metrics[0]).toMatchObject({ metric: "health", message: "the replicas died 3 times" });
    expect(canaryVerdict(judged({ health }, { onHealthCheckFailure: false })).outcome).toBe("inconclusive");
  });

  it("fails after the judge's alarm, with the alarm's arithmetic first", () => {
    const measured = judged();
    for (let n = 0; n < 200; n += 1) {
      const candidate = n % 2 === 0;
      measured.judge.record({
        candidate,
        probability: 0.5,
        failed: candidate,
        latencyMs: 1,
        latencySampled: false,
        atMs: n,
      });
    }
    const verdict = canaryVerdict(measured);
    expect(verdict.outcome).toBe("fail");
    expect(verdict.metrics[0]).toMatchObject({ metric: "errors", outcome: "fail" });
    expect(verdict.metrics[0]?.message).toMatch(/failed \d+ of \d+ requests/);
  });

  it("fails once the traffic was sent back, whatever came after", () => {
    const verdict = canaryVerdict(judged({ tripped: { metric: "errors", cause: "9 of 20 failed" }, percent: 0 }));
    expect(verdict.outcome).toBe("fail");
    expect(verdict.metrics[0]?.message).toContain("9 of 20 failed");
  });
});

describe("the verdict on a candidate alone", () => {
  it("compares with stable's stored rate by an explicit limit", () => {
    const alone = { percent: 100, stable: windowOf({ requests: 0 }) };
    const good = canaryVerdict(judged({ ...alone, candidate: windowOf({ requests: 100, errors: 1 }) }));
    expect(good.outcome).toBe("pass");
    expect(good.metrics.find(({ metric }) => metric === "errors")).toMatchObject({ observed: 0.01, limit: 0.02 });
    expect(canaryVerdict(judged({ ...alone, candidate: windowOf({ requests: 100, errors: 9 }) })).outcome).toBe(
      "inconclusive",
    );
  });

  it("passes a first version on health, with or without requests", () => {
    const first = { stable: null, percent: 100 };
    expect(canaryVerdict(judged({ ...first, candidate: windowOf({ requests: 0 }) })).outcome).toBe("pass");
    expect(canaryVerdict(judged(first)).outcome).toBe("pass");
    const health = { wanted: 2, healthy: 1, failure: null, stableWanted: 2 };
    expect(canaryVerdict(judged({ ...first, health })).outcome).toBe("inconclusive");
  });

  it("does not pass a first version that answers with nothing but errors", () => {
    const measured = judged({ stable: null, percent: 100, candidate: windowOf({ requests: 60, errors: 60 }) });
    expect(canaryVerdict(measured).outcome).toBe("inconclusive");
    for (let n = 0; n < 60; n += 1)
      measured.judge.record({
        candidate: true,
        probability: 1,
        failed: true,
        latencyMs: 1,
        latencySampled: false,
        atMs: n,
      });
    expect(canaryVerdict(measured).outcome).toBe("fail");
  });
});

/** A judge that saw equal arms, and the windows of the same answers. */
function seen(requests: number, guard: Partial<JudgeGuard> = {}): Measured {
  const random = seeded(11);
  const judge = new CanaryJudge({ guard: { ...GUARD, ...guard }, stableSoFar: { requests: 0, errors: 0 } });
  const [candidateWindow, stable] = [new ArmWindow(), new ArmWindow()];
  for (let n = 0; n < requests; n += 1) {
    const candidate = random() < 0.5;
    const answer = { failed: random() < 0.002, latencyMs: 20 + 5 * random() };
    const latencySampled = judge.drawn({ candidate, probability: 0.5, startedMs: 100 * n });
    judge.record({ ...answer, candidate, probability: 0.5, latencySampled, atMs: 100 * n });
    (candidate ? candidateWindow : stable).record(answer);
  }
  return judged({ judge, candidate: candidateWindow, stable, percent: 50 });
}

describe("what a verdict proves", () => {
  it("shows the sums: samples, estimate, interval, margin, evidence against threshold, and how much more it needs", () => {
    const verdict = canaryVerdict(seen(300));
    const errors = verdict.metrics.find(({ metric }) => metric === "errors")?.figures;
    expect(errors).toMatchObject({ margin: 0.01, threshold: 400, interval: { of: "difference", confidence: 0.95 } });
    expect((errors?.candidate.samples ?? 0) + (errors?.stable.samples ?? 0)).toBe(300);
    expect(errors?.moreRequests).toBeGreaterThan(0);
    const latency = verdict.metrics.find(({ metric }) => metric === "latency")?.figures;
    expect(latency).toMatchObject({ margin: 1.5, unit: "90th percentile in ms" });
    expect(latency?.proof?.threshold).toBe(20);
  });

  it("says so when everything is proven, and asks for nothing more", () => {
    const verdict = canaryVerdict(seen(20_000, { promoteOn: "proof" }));
    expect(verdict.outcome).toBe("pass");
    for (const name of ["errors", "latency"]) {
      const metric = verdict.metrics.find((each) => each.metric === name);
      expect(metric?.message).toContain("is proven");
      expect(metric?.figures?.moreRequests).toBe(0);
    }
    expect(verdict.metrics.find((each) => each.metric === "latency")?.figures?.interval?.high).toBeLessThan(1.5);
  });

  it("passes at the limit what is not proven, unless the plan asks for a proof", () => {
    expect(canaryVerdict(seen(300)).outcome).toBe("pass");
    const asked = canaryVerdict(seen(300, { promoteOn: "proof" }));
    expect(asked.outcome).toBe("inconclusive");
    expect(asked.metrics.find(({ metric }) => metric === "errors")?.message).toMatch(
      /asks for a proof, which about \d+ more requests could give/,
    );
  });

  it("is void when the draw was not random, and blames nobody", () => {
    const measured = seen(0);
    for (let n = 0; n < 4000; n += 1) measured.judge.drawn({ candidate: n % 2 === 0, probability: 0.5, startedMs: n });
    for (let n = 0; n < 1000; n += 1) {
      const candidate = n % 2 === 0;
      const answer = { failed: candidate, latencyMs: 1, latencySampled: false, atMs: n };
      expect(measured.judge.record({ ...answer, candidate, probability: 0.5 })).toBeNull();
    }
    expect(canaryVerdict({ ...measured, candidate: windowOf({ requests: 100 }) }).outcome).toBe("error");
  });

  it("says with few replicas what it cannot tell apart", () => {
    const text = (wanted: number) =>
      canaryVerdict(judged({ health: { wanted, healthy: wanted, failure: null, stableWanted: 3 } })).metrics.find(
        ({ metric }) => metric === "health",
      )?.message;
    expect(text(2)).toContain("(stable has 3); with fewer than 4");
    expect(text(4)).not.toContain("fewer");
  });
});
