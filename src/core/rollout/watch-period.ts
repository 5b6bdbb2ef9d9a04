import { monitorSettings } from "../plan/monitor-settings.ts";
import type { Rollout } from "./rollout.ts";

/** The time after a rollout in which alarms about the version that it brought are still acted on. */
export interface WatchPeriod {
  untilMs: number;
  /** Those that the plan names; others are recorded and not acted on. */
  alarms: readonly string[];
  onAlarm: "rollback" | "ask";
  /** Why a person is asked although the plan says `rollback`; null otherwise. */
  whyAsk: string | null;
}

/**
 * The watch period that began when the rollout succeeded; null when it did not, or when its plan wants none. Where going
 * back by itself would make no sense, a person is asked: nothing ran before a first version, and what a restore would
 * bring back is what somebody fled from.
 */
export function watchPeriod(rollout: Rollout, endedAtMs: number | null): WatchPeriod | null {
  if (rollout.phase !== "Succeeded" || rollout.dryRun || endedAtMs === null) return null;
  const { seconds, onAlarm } = monitorSettings(rollout.plan).watch;
  if (seconds === 0) return null;
  const alarms = rollout.plan.spec.rollback.alarms ?? [];
  const whyAsk = onAlarm === "ask" ? null : whyNotBack(rollout);
  return { untilMs: endedAtMs + seconds * 1000, alarms, onAlarm: whyAsk === null ? onAlarm : "ask", whyAsk };
}

function whyNotBack({ restores, snapshot }: Rollout): string | null {
  if (snapshot === null || snapshot.empty) return "nothing ran before it";
  return restores === undefined ? null : "it was brought back itself, and what ran before it is what was left";
}
