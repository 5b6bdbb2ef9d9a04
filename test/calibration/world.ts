/** How the candidate differs from stable; what is left out does not. */
export interface Effect {
  errorRate?: number;
  latencyTimes?: number;
  /** In deviations of stable's scores. */
  scoreShift?: number;
  scoreStretch?: number;
  /** Share of wrong answers. */
  wrongRate?: number;
}

/** A time in which everything is worse, for everybody it concerns alike. Times are exponential around these means. */
export interface Bursts {
  everySeconds: number;
  lastSeconds: number;
  latencyTimes: number;
}

/** A rollout of 20,000 requests within an hour: what happens to both versions, and what is wrong with the candidate. */
export interface World {
  name: string;
  /** From which share of the rollout on which share of requests goes to the candidate. */
  steps: readonly (readonly [from: number, probability: number])[];
  /** At the start and at the end; linear in between. */
  errorRate: readonly [number, number];
  latencyTrend: number;
  scoreTrend: number;
  /** Shared by both arms: a slow database, a bad upstream, a campaign. */
  bursts: (Bursts & { errorRate: number; scoreShift: number; wrongRate: number }) | null;
  /** Dependence inside each arm: half of the variance of log latency is an AR(1) of its own with this memory. */
  memorySeconds: number | null;
  /** Each replica has bursts of its own. */
  replicas: (Bursts & { candidate: number; stable: number }) | null;
  /** Share of the candidate's wrong answers whose truth is known at the horizon, where that differs from all others'. */
  wrongKnown: number | null;
  effect: Effect;
}

export const REQUESTS = 20_000;
export const DURATION_MS = 3_600_000;
/** The rest never learns its truth, or too late. */
export const LABELLED_SHARE = 0.6;
export const HORIZON_MS = 300_000;
export const WRONG_RATE = 0.1;
export const LATENCY_MEDIAN_MS = 40;
/** Of the logarithm. */
export const LATENCY_DEVIATION = 0.5;

const CALM: World = {
  name: "iid",
  steps: [[0, 0.1]],
  errorRate: [0.01, 0.01],
  latencyTrend: 1,
  scoreTrend: 0,
  bursts: null,
  memorySeconds: null,
  replicas: null,
  wrongKnown: null,
  effect: {},
};

const SHARED_BURSTS: World["bursts"] = {
  everySeconds: 300,
  lastSeconds: 20,
  latencyTimes: 3,
  errorRate: 0.2,
  scoreShift: 1,
  wrongRate: 0.3,
};
const TREND = { errorRate: [0.003, 0.03], latencyTrend: 2, scoreTrend: 1 } as const;
/** Where 60 % are known at an age, and the age is exponential, 94 % are known when they come three times sooner. */
const THREE_TIMES_SOONER = 1 - (1 - LABELLED_SHARE) ** 3;
const RAMP: World["steps"] = [
  [0, 0.05],
  [1 / 3, 0.25],
  [2 / 3, 0.5],
];
const REPLICA_BURSTS: Bursts = { everySeconds: 120, lastSeconds: 10, latencyTimes: 2.5 };

/** Worlds in which the candidate changes nothing: whoever rolls it back is wrong. */
export interface NullWorld extends World {
  /** false for what no test of one rollout can tell from a worse version: it is shown, and nothing is promised. */
  promised: boolean;
}

export const NULL_WORLDS: readonly NullWorld[] = [
  { ...CALM, promised: true },
  { ...CALM, name: "shared bursts", bursts: SHARED_BURSTS, promised: true },
  { ...CALM, name: "trend and ramp 5/25/50", ...TREND, steps: RAMP, promised: true },
  { ...CALM, name: "bursts, trend and ramp", ...TREND, steps: RAMP, bursts: SHARED_BURSTS, promised: true },
  { ...CALM, name: "AR(1) inside each arm", memorySeconds: 5, promised: true },
  {
    ...CALM,
    name: "four replicas with bursts",
    replicas: { ...REPLICA_BURSTS, candidate: 4, stable: 4 },
    promised: true,
  },
  {
    ...CALM,
    name: "one candidate replica with bursts",
    replicas: { ...REPLICA_BURSTS, candidate: 1, stable: 4 },
    promised: false,
  },
  { ...CALM, name: "AR(1) that lasts 15 s", memorySeconds: 15, promised: false },
  {
    ...CALM,
    name: "candidate's wrong answers are known sooner",
    wrongKnown: THREE_TIMES_SOONER,
    promised: false,
  },
];

/** Worlds in which the candidate is worse (or, for scores, different), and what is promised of finding it. */
export interface EffectWorld extends World {
  metric: "errors" | "latency" | "scores" | "quality";
  /** `medianMax` in requests; `foundMin` is the share that is found within the rollout. */
  target: { medianMax?: number; foundMin?: number } | null;
}

const HALF: World["steps"] = [[0, 0.5]];
const rare = { ...CALM, errorRate: [0.001, 0.001] } as const;

export const EFFECT_WORLDS: readonly EffectWorld[] = [
  worse("errors 1 -> 50 %", "errors", { errorRate: 0.5 }, { medianMax: 120 }),
  worse("errors 1 -> 5 %", "errors", { errorRate: 0.05 }, { medianMax: 2000 }),
  worse("errors 1 -> 2 %", "errors", { errorRate: 0.02 }, { foundMin: 0.65 }),
  {
    ...worse("errors 1 -> 2 %, half of traffic", "errors", { errorRate: 0.02 }, { medianMax: 7000, foundMin: 0.98 }),
    steps: HALF,
  },
  {
    ...worse("errors .1 -> 1 %", "errors", { errorRate: 0.01 }, { medianMax: 6500, foundMin: 0.98 }),
    errorRate: rare.errorRate,
  },
  worse("latency x1.3", "latency", { latencyTimes: 1.3 }, { medianMax: 6000 }),
  worse("latency x2", "latency", { latencyTimes: 2 }, { medianMax: 1100 }),
  worse("latency x5", "latency", { latencyTimes: 5 }, { medianMax: 150 }),
  worse("scores by .3 deviations", "scores", { scoreShift: 0.3 }, { medianMax: 2700 }),
  worse("scores' deviation x1.5", "scores", { scoreStretch: 1.5 }, { medianMax: 1400 }),
  worse("wrong answers 10 -> 15 %", "quality", { wrongRate: 0.15 }, null),
  worse("wrong answers 10 -> 30 %", "quality", { wrongRate: 0.3 }, null),
];

function worse(
  name: string,
  metric: EffectWorld["metric"],
  effect: Effect,
  target: EffectWorld["target"],
): EffectWorld {
  return { ...CALM, name, metric, effect, target };
}
