import type { AlarmEvaluation, AlarmFigure, AlarmName, AlarmState } from "./evaluation.ts";

/** One alarm of one version of an endpoint, as it was last evaluated. */
export interface Alarm {
  alarm: AlarmName;
  state: AlarmState;
  /** Since when it is in this state. */
  sinceMs: number;
  evaluatedAtMs: number;
  reason: string;
  figures: readonly AlarmFigure[];
  /** Somebody saw this ALARM; ends with it. */
  acknowledgement: Acknowledgement | null;
  /** What followed from this ALARM; ends with it. */
  effect: AlarmEffect | null;
  /** How many times its state has changed. */
  transitions: number;
}

export interface Acknowledgement {
  by: string;
  atMs: number;
  comment: string | null;
}

/**
 * `rollout`: told to the rollout under way, which rolls back. `restore`: what ran before comes back. `ask`: a person has
 * to decide. `none`: nothing, and the message says why; it is looked at again with the next evaluation.
 */
export const ALARM_EFFECTS = ["rollout", "restore", "ask", "none"] as const;
export interface AlarmEffect {
  kind: (typeof ALARM_EFFECTS)[number];
  message: string;
}

export interface Evaluated {
  alarm: Alarm;
  /** Set when the state changed. */
  transition: { from: AlarmState; to: AlarmState } | null;
}

/**
 * What an evaluation makes of an alarm. One that was never evaluated has INSUFFICIENT_DATA, never OK. An evaluation that
 * is older than the one recorded comes late and changes nothing: undefined.
 */
export function evaluateAlarm(before: Alarm | undefined, evaluation: AlarmEvaluation): Evaluated | undefined {
  const { alarm, state, atMs, reason, figures } = evaluation;
  if (before !== undefined && atMs < before.evaluatedAtMs) return undefined;
  const from = before?.state ?? "INSUFFICIENT_DATA";
  const changed = from !== state;
  const kept = before === undefined || changed ? { acknowledgement: null, effect: null } : before;
  return {
    alarm: {
      ...{ alarm, state, reason, figures, evaluatedAtMs: atMs },
      sinceMs: before === undefined || changed ? atMs : before.sinceMs,
      acknowledgement: kept.acknowledgement,
      effect: kept.effect,
      transitions: (before?.transitions ?? 0) + (changed ? 1 : 0),
    },
    transition: changed ? { from, to: state } : null,
  };
}

/** Whether what follows from the alarm is still to be decided. A person who was asked is asked once. */
export function isUnanswered({ state, effect }: Alarm): boolean {
  return state === "ALARM" && (effect === null || effect.kind === "none");
}
