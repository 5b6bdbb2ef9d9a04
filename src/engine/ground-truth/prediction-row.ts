import type { AlarmEvaluation } from "../../core/monitor/alarm/evaluation.ts";
import type { MetricVerdict } from "../../core/monitor/verdict.ts";
import type { MonitorSettings } from "../../core/plan/monitor-settings.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";

/**
 * One answer of a model as the monitor read it, for `recordPredictions(transaction, batch)`. What was not captured is
 * null, never a guess: an answer without what the plan's problem needs is counted and not judged.
 */
export interface PredictionRow {
  /** The pseudonym of the inference id; the id itself is never stored. */
  inference: string;
  /** Which row of the request: one request may ask for many. */
  row: number;
  /** The rollout whose version answered. */
  variant: string;
  /** With which the request went to the candidate. */
  candidateProbability: number;
  atMs: number;
  /** The class that was answered, as a text; for a binary problem the score decides where there is one. */
  predicted: string | null;
  /** The value that was answered, for a regression. */
  value: number | null;
  /** The probability of the positive class, in [0, 1]. */
  score: number | null;
  /** What the plan's `bias.facet` and `bias.group` columns hold, as texts. */
  facet: string | null;
  group: string | null;
}

/** Rows of one flush, for the rollout by whose plan they are judged: its own version is the candidate, any other stable. */
export interface PredictionBatch {
  at: EndpointKey;
  rollout: string;
  settings: MonitorSettings;
  rows: readonly PredictionRow[];
}

/** What is made of quality and bias: at most one alarm (ModelMonitorAlarm), and `quality` and `bias` of the verdict. */
export interface QualityEvaluation {
  evaluation: AlarmEvaluation | null;
  metrics: MetricVerdict[];
}
