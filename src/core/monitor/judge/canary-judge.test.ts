import { describe, expect, it } from "vitest";
import { ArmBet } from "./arm-bet.ts";
import { CanaryJudge, type JudgeAlarm, type JudgeGuard } from "./canary-judge.ts";
import { canaryJudgeStateSchema } from "./judge-state.ts";
import { normal, seeded } from "./testing/seeded.ts";

const GUARD: JudgeGuard = {
  alpha: 0.01,
  requestsMin: 50,
  errorRateExcessMax: 0.01,
  latencyRatioMax: 1.5,
  onHealthCheckFailure: true,
};

interface Trial {
  seed: number;
  requests: number;
  probability: (n: number) => number;
  errorRate: (candidate: boolean, n: number) => number;
  latencyMs: (candidate: boolean, n: number, random: () => number) => number;
  /** Between two requests. */
  gapMs: number;
}

const CALM = {
  requests: 10_000,
  probability: () => 0.1,
  errorRate: () => 0.01,
  latencyMs: (_candidate: boolean, _n: number, random: () => number) => 20 * Math.exp(random() + random() - 1),
  gapMs: 180,
};

function run(trial: Trial): { alarm: JudgeAlarm | null; requests: number } {
  const random = seeded(trial.seed);
  const judge = new CanaryJudge({ guard: GUARD, stableSoFar: { requests: 0, errors: 0 } });
  for (let n = 1; n <= trial.requests; n += 1) {
    const atMs = n * trial.gapMs;
    const probability = trial.probability(n);
    const candidate = random() < probability;
    const latencySampled = judge.drawn({ candidate, probability, startedMs: atMs });
    const failed = random() < trial.errorRate(candidate, n);
    const latencyMs = trial.latencyMs(candidate, n, random);
    const alarm = judge.record({ candidate, probability, failed, latencyMs, latencySampled, atMs });
    if (alarm !== null) return { alarm, requests: n };
  }
  return { alarm: null, requests: trial.requests };
}

function falseAlarms(trials: number, trial: Omit<Trial, "seed">): number {
  let alarms = 0;
  for (let seed = 1; seed <= trials; seed += 1) if (run({ ...trial, seed }).alarm !== null) alarms += 1;
  return alarms;
}

function medianRequests(trials: number, trial: Omit<Trial, "seed">): number {
  const requests = Array.from({ length: trials }, (_, at) => run({ ...trial, seed: at + 1 }))
    .map(({ alarm, requests }) => (alarm === null ? Number.POSITIVE_INFINITY : requests))
    .sort((a, b) => a - b);
  return requests[Math.floor(trials / 2)] ?? Number.POSITIVE_INFINITY;
}

describe("the judge when the candidate is no worse", () => {
  // 40 rollouts at a true rate of 1 % have more than 3 alarms in 0.1 % of cases; the guarantee is "at most 1 %".
  const TRIALS = 40;
  const ALARMS_MAX = 3;

  it("raises an alarm in at most 1 % of rollouts", () => {
    expect(falseAlarms(TRIALS, CALM)).toBeLessThanOrEqual(ALARMS_MAX);
  });

  it("is not fooled by errors that rise in both arms while the share ramps up", () => {
    const probability = (n: number) => (n < 3000 ? 0.05 : n < 6000 ? 0.25 : 0.5);
    const errorRate = (_candidate: boolean, n: number) => 0.003 + (0.027 * n) / 10_000;
    expect(falseAlarms(TRIALS, { ...CALM, probability, errorRate })).toBeLessThanOrEqual(ALARMS_MAX);
  });

  it("is not fooled by bursts in which both arms fail and are slow", () => {
    const burst = (n: number) => n % 2000 < 100;
    const errorRate = (_candidate: boolean, n: number) => (burst(n) ? 0.6 : 0.005);
    const latencyMs = (candidate: boolean, n: number, random: () => number) =>
      CALM.latencyMs(candidate, n, random) * (burst(n) ? 8 : 1);
    expect(falseAlarms(TRIALS, { ...CALM, errorRate, latencyMs })).toBeLessThanOrEqual(ALARMS_MAX);
  });

  it("does not mind a candidate that is a little slower, a fifth of the allowed excess", () => {
    const latencyMs = (candidate: boolean, n: number, random: () => number) =>
      CALM.latencyMs(candidate, n, random) * (candidate ? 1.1 : 1);
    expect(falseAlarms(TRIALS, { ...CALM, latencyMs })).toBeLessThanOrEqual(ALARMS_MAX);
  });

  it("is not fooled by a replica whose answers are slow for a quarter of a minute at a time, in either arm", () => {
    // Half of the scatter of the logarithm is the arm's own and forgets within 15 s.
    const memory = { candidate: 0, stable: 0 };
    const kept = Math.exp(-CALM.gapMs / 15_000);
    const latencyMs = (candidate: boolean, n: number, random: () => number) => {
      const arm = candidate ? "candidate" : "stable";
      if (n === 1) Object.assign(memory, { candidate: normal(random), stable: normal(random) });
      for (const each of ["candidate", "stable"] as const)
        memory[each] = kept * memory[each] + Math.sqrt(1 - kept * kept) * normal(random);
      return 40 * Math.exp(0.5 * Math.SQRT1_2 * (memory[arm] + normal(random)));
    };
    expect(falseAlarms(TRIALS, { ...CALM, latencyMs })).toBeLessThanOrEqual(ALARMS_MAX);
  });

  it("does not mind a candidate that takes twice as long when both take no time", () => {
    const latencyMs = (candidate: boolean, _n: number, random: () => number) => (candidate ? 2 : 1) * (0.2 + random());
    expect(falseAlarms(40, { ...CALM, latencyMs })).toBe(0);
  });

  it("takes a pause of one process for one event, not for as many as it held back", () => {
    // Every 5 s the candidate's process stands still for 100 ms, at 200 requests a second.
    const latencyMs = (candidate: boolean, n: number, random: () => number) =>
      CALM.latencyMs(candidate, n, random) + (candidate && n % 1000 < 20 ? 100 : 0);
    expect(falseAlarms(30, { ...CALM, gapMs: 5, latencyMs })).toBeLessThanOrEqual(2);
  });
});

describe("the judge when the candidate is worse", () => {
  it("finds half of the requests failing within 120 requests at a tenth of the traffic", () => {
    const errorRate = (candidate: boolean) => (candidate ? 0.5 : 0.01);
    expect(medianRequests(101, { ...CALM, errorRate })).toBeLessThanOrEqual(120);
  });

  it("finds 5 % of errors instead of 1 % within 3000 requests", () => {
    const errorRate = (candidate: boolean) => (candidate ? 0.05 : 0.01);
    expect(medianRequests(51, { ...CALM, errorRate })).toBeLessThanOrEqual(3000);
  });

  it("finds a third of errors at half of the traffic within 70 requests", () => {
    const errorRate = (candidate: boolean) => (candidate ? 0.35 : 0);
    expect(medianRequests(101, { ...CALM, probability: () => 0.5, errorRate })).toBeLessThanOrEqual(70);
  });

  it("finds a failure that begins late", () => {
    const errorRate = (candidate: boolean, n: number) => (candidate && n > 5000 ? 0.3 : 0.01);
    expect(medianRequests(51, { ...CALM, errorRate })).toBeLessThanOrEqual(5600);
  });

  it("finds latencies five times as long, and says that it is the latency", () => {
    const latencyMs = (candidate: boolean, n: number, random: () => number) =>
      CALM.latencyMs(candidate, n, random) * (candidate ? 5 : 1);
    expect(medianRequests(51, { ...CALM, latencyMs })).toBeLessThanOrEqual(150);
    const { alarm } = run({ ...CALM, gapMs: 250, latencyMs, seed: 7 });
    expect(alarm?.metric).toBe("latency");
    expect(alarm?.firstBadAtMs).toBeLessThan(alarm?.atMs ?? 0);
  });

  it("finds latencies a third longer once that has lasted for minutes, and not by one minute alone", () => {
    const latencyMs = (candidate: boolean, n: number, random: () => number) =>
      4 * CALM.latencyMs(candidate, n, random) * (candidate ? 1.3 : 1);
    const median = medianRequests(31, { ...CALM, latencyMs });
    expect(median).toBeLessThanOrEqual(6000);
    expect(median).toBeGreaterThan(333);
  });

  it("finds twice the latencies within 1100 requests", () => {
    const latencyMs = (_candidate: boolean, _n: number, random: () => number) => 40 * Math.exp(0.5 * normal(random));
    const twice = (candidate: boolean, n: number, random: () => number) =>
      latencyMs(candidate, n, random) * (candidate ? 2 : 1);
    expect(medianRequests(51, { ...CALM, latencyMs: twice })).toBeLessThanOrEqual(1100);
  });

  it("finds rare errors by the exact walk, one in a hundred instead of one in a thousand", () => {
    const errorRate = (candidate: boolean) => (candidate ? 0.01 : 0.001);
    expect(medianRequests(31, { ...CALM, errorRate })).toBeLessThanOrEqual(9000);
  });

  it("finds errors with nothing to compare with, by the explicit limit", () => {
    const errorRate = (candidate: boolean) => (candidate ? 0.2 : 0.01);
    expect(medianRequests(51, { ...CALM, probability: () => 1, errorRate })).toBeLessThanOrEqual(150);
  });

  it("keeps to the explicit limit's error rate when there is nothing to compare with", () => {
    const alarms = falseAlarms(120, { ...CALM, probability: () => 1, errorRate: () => GUARD.errorRateExcessMax });
    expect(alarms).toBeLessThanOrEqual(5);
  });

  it("says how many requests were touched and when the first one failed", () => {
    const judge = new CanaryJudge({ guard: GUARD, stableSoFar: { requests: 0, errors: 0 } });
    let alarm: JudgeAlarm | null = null;
    for (let n = 0; alarm === null && n < 1000; n += 1) {
      const candidate = n % 2 === 1;
      const failed = candidate && n >= 21;
      alarm = judge.record({ candidate, probability: 0.5, failed, latencyMs: 3, latencySampled: false, atMs: n });
    }
    expect(alarm).toMatchObject({ metric: "errors", firstBadAtMs: 21 });
    expect(alarm?.candidateErrors).toBeLessThan(alarm?.candidateRequests ?? 0);
    expect(
      judge.record({ candidate: true, probability: 0.5, failed: true, latencyMs: 3, latencySampled: false, atMs: 1e6 }),
    ).toBeNull();
  });
});

describe("a judge that is kept and read again", () => {
  /** Feeds `judge` a stretch of one seeded stream. */
  function feed(judge: CanaryJudge, options: { seed: number; from: number; to: number; candidateRate: number }): void {
    const random = seeded(options.seed);
    for (let n = 0; n < options.to; n += 1) {
      const candidate = random() < 0.2;
      const failed = random() < (candidate ? options.candidateRate : 0.02);
      const latencyMs = 30 * Math.exp(random());
      if (n < options.from) continue;
      const latencySampled = judge.drawn({ candidate, probability: 0.2, startedMs: n * 400 });
      judge.record({ candidate, probability: 0.2, failed, latencyMs, latencySampled, atMs: n * 400 });
    }
  }
  const fresh = () => new CanaryJudge({ guard: GUARD, stableSoFar: { requests: 7, errors: 1 } });

  it("goes on as if nothing had happened, to the last digit", () => {
    for (const cut of [1, 40, 500, 1999]) {
      const through = fresh();
      feed(through, { seed: 5, from: 0, to: 2000, candidateRate: 0.03 });
      const before = fresh();
      feed(before, { seed: 5, from: 0, to: cut, candidateRate: 0.03 });
      const state = canaryJudgeStateSchema.parse(JSON.parse(JSON.stringify(before.toState())));
      const after = CanaryJudge.fromState(state, { guard: GUARD });
      feed(after, { seed: 5, from: cut, to: 2000, candidateRate: 0.03 });
      expect(after.toState()).toEqual(through.toState());
      expect(after.evidence).toEqual(through.evidence);
    }
  });

  it("does not forget that it raised an alarm", () => {
    const judge = fresh();
    feed(judge, { seed: 5, from: 0, to: 2000, candidateRate: 0.9 });
    expect(judge.alarm).not.toBeNull();
    const after = CanaryJudge.fromState(judge.toState(), { guard: GUARD });
    expect(after.alarm).toEqual(judge.alarm);
  });

  it("refuses what another kind of judge kept", () => {
    const state = fresh().toState();
    const other = { ...state, errors: { ...state.errors, limit: [1, 1] } };
    expect(() => CanaryJudge.fromState(other, { guard: GUARD })).toThrow(RangeError);
  });
});

describe("the evidence of a rollout that goes well for long", () => {
  it("can still be turned after a million healthy requests", () => {
    const bet = new ArmBet({ priorRate: 0.01 });
    const random = seeded(3);
    for (let n = 0; n < 1_000_000; n += 1) bet.update(random() < 0.1, 0.1, random() < 0.01);
    let requests = 0;
    for (; bet.evidence < 400 && requests < 5000; requests += 1) {
      const candidate = random() < 0.1;
      bet.update(candidate, 0.1, random() < (candidate ? 0.5 : 0.01));
    }
    expect(requests).toBeLessThan(600);
  });
});
