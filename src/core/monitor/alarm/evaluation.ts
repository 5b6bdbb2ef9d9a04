/** What an alarm can say. With too little data it is neither: nothing may take that for OK. */
export const ALARM_STATES = ["OK", "ALARM", "INSUFFICIENT_DATA"] as const;
export type AlarmState = (typeof ALARM_STATES)[number];

/**
 * The alarms that the monitor and the data plane raise. A plan names in `rollback.alarms` those that roll it back;
 * `DataDriftAlarm` covers columns and predictions, `ModelMonitorAlarm` quality and bias.
 */
export const ALARM_NAMES = [
  "DataDriftAlarm",
  "ModelMonitorAlarm",
  "ErrorRateAlarm",
  "LatencyAlarm",
  "HealthAlarm",
] as const;
export type AlarmName = (typeof ALARM_NAMES)[number];

/** One line of the arithmetic: what was measured of what, against which limit. */
export interface AlarmFigure {
  /** What it is about: a column, a metric, a group. */
  subject: string;
  /** The measure, in the field's word, e.g. `wasserstein`, `f1`, `DPPL`. */
  measure: string;
  observed: number | null;
  limit: number | null;
  /** Rows, labelled answers or requests it rests on. */
  samples: number;
  /** As it came and after the correction for how many were looked at; null where the measure has none. */
  pValue: number | null;
  adjustedPValue: number | null;
  /** Evidence of an always-valid test; null where there is none. */
  evidence: number | null;
  breaching: boolean;
  /** One sentence with the numbers in it. */
  message: string;
}

/** What one look at the measurements says of one alarm. */
export interface AlarmEvaluation {
  alarm: AlarmName;
  state: AlarmState;
  atMs: number;
  /** One sentence with the numbers in it: why this state. */
  reason: string;
  /** Worst first; at most 50. */
  figures: readonly AlarmFigure[];
}
