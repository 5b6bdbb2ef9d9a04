import { DRIFT_METHODS, type PROBLEMS } from "./monitor-schema.ts";
import type { Plan } from "./schema.ts";

export type DriftMethod = (typeof DRIFT_METHODS)[number];
export type Problem = (typeof PROBLEMS)[number];

/**
 * What the monitor and the judge of a rollout go by: what its plan says, with the documented defaults for the rest.
 * Lengths are in seconds, shares in [0, 1].
 */
export interface DriftSettings {
  /**
   * What decides for a column that is not named in `columns`: it has drifted when any of them says so. Empty: chosen by
   * the column (Jensen-Shannon for categories, Wasserstein in the baseline's deviations for numbers). Without a
   * threshold the method's documented one counts.
   */
  methods: readonly { method: DriftMethod; threshold: number | null }[];
  /** For a method that was chosen by the column; null: the method's documented one. */
  threshold: number | null;
  significance: number;
  correction: "benjamini-hochberg" | "bonferroni";
  rowsMin: number;
  windowRows: number;
  windowSeconds: number;
  windows: number;
  breachingWindows: number;
  ignore: readonly string[];
  columns: Readonly<Record<string, { method?: DriftMethod | undefined; threshold?: number | undefined }>>;
  prediction: string | null;
}

export interface QualitySettings {
  label: string;
  problem: Problem;
  positive: string;
  prediction: string | null;
  probability: string | null;
  decisionThreshold: number;
  horizonSeconds: number;
  labelledMin: number;
  thresholds: Readonly<Record<string, number>>;
}

export interface BiasSettings {
  facet: string;
  favoured: readonly string[];
  positive: string;
  group: string | null;
  rowsMin: number;
  thresholds: Readonly<Record<string, number>>;
}

export interface WatchSettings {
  seconds: number;
  onAlarm: "rollback" | "ask";
}

export interface JudgementSettings {
  alpha: number;
  requestsMin: number;
  errorRateExcessMax: number;
  latencyRatioMax: number;
  promoteOn: "limit" | "proof";
  onPredictionShift: "alarm" | "rollback";
}

export interface MonitorSettings {
  baseline: string | null;
  /** null where the plan has no such part: then nothing is measured of it. */
  dataDrift: DriftSettings | null;
  modelQuality: QualitySettings | null;
  bias: BiasSettings | null;
  watch: WatchSettings;
}

const DAY_SECONDS = 86_400;

export function monitorSettings({ spec }: Plan): MonitorSettings {
  const { monitor } = spec;
  return {
    baseline: monitor?.baseline ?? null,
    dataDrift: driftSettings(monitor?.dataDrift),
    modelQuality: qualitySettings(monitor?.modelQuality),
    bias: biasSettings(monitor?.bias, monitor?.modelQuality),
    watch: {
      seconds: monitor?.watch?.seconds ?? (spec.environment === "production" ? DAY_SECONDS : 0),
      onAlarm: monitor?.watch?.onAlarm ?? "rollback",
    },
  };
}

export function judgementSettings({ spec }: Plan): JudgementSettings {
  const given = spec.rollout.judgement;
  return {
    alpha: given?.alpha ?? 0.01,
    requestsMin: given?.requestsMin ?? 30,
    errorRateExcessMax: given?.errorRateExcessMax ?? 0.01,
    latencyRatioMax: given?.latencyRatioMax ?? 1.5,
    promoteOn: given?.promoteOn ?? "limit",
    onPredictionShift: given?.onPredictionShift ?? "alarm",
  };
}

type Monitor = NonNullable<Plan["spec"]["monitor"]>;

function driftSettings(given: Monitor["dataDrift"]): DriftSettings | null {
  if (given === undefined) return null;
  const rowsMin = given.rowsMin ?? 1000;
  return {
    methods: driftMethods(given),
    threshold: given.threshold ?? null,
    significance: given.significance ?? 0.01,
    correction: given.correction ?? "benjamini-hochberg",
    rowsMin,
    windowRows: given.windowRows ?? rowsMin,
    windowSeconds: given.windowSeconds ?? 300,
    windows: given.windows ?? 3,
    breachingWindows: given.breachingWindows ?? Math.min(2, given.windows ?? 3),
    ignore: given.ignore ?? [],
    columns: given.columns ?? {},
    prediction: given.prediction ?? null,
  };
}

function driftMethods(given: NonNullable<Monitor["dataDrift"]>): DriftSettings["methods"] {
  const named = given.method === undefined ? [] : [{ method: given.method, threshold: given.threshold ?? null }];
  const short = DRIFT_METHODS.flatMap((method) => {
    const threshold = given[method];
    return threshold === undefined || method === given.method ? [] : [{ method, threshold }];
  });
  return [...named, ...short];
}

/** A quality without a named label cannot be measured; the policy says so where it must be. */
function qualitySettings(given: Monitor["modelQuality"]): QualitySettings | null {
  if (typeof given?.label !== "string" || given.label === "") return null;
  return {
    label: given.label,
    problem: given.problem ?? "binary",
    positive: String(given.positive ?? 1),
    prediction: given.prediction ?? null,
    probability: given.probability ?? null,
    decisionThreshold: given.decisionThreshold ?? 0.5,
    horizonSeconds: given.horizonSeconds ?? 0,
    labelledMin: given.labelledMin ?? 200,
    thresholds: given.thresholds ?? {},
  };
}

function biasSettings(given: Monitor["bias"], quality: Monitor["modelQuality"]): BiasSettings | null {
  if (typeof given?.facet !== "string" || given.facet === "") return null;
  return {
    facet: given.facet,
    favoured: (given.favoured ?? []).map(String),
    positive: String(given.positive ?? quality?.positive ?? 1),
    group: given.group ?? null,
    rowsMin: given.rowsMin ?? 200,
    thresholds: given.thresholds ?? {},
  };
}
