import type { OperationOutput } from "../../contract/operations.ts";

export type WatchView = NonNullable<OperationOutput<"rollouts.get">["watch"]>;

/** Such as: watched until … for DataDriftAlarm, ModelMonitorAlarm, which brings back what ran before. */
export function watchWords({ until, over, alarms, onAlarm, whyAsk, restore }: WatchView): string {
  if (restore !== null) return `ended by an alarm; ${restore} brings back what ran before`;
  if (over) return `ended at ${until}`;
  const named = alarms.length === 0 ? "no alarm" : alarms.join(", ");
  const because = whyAsk === null ? "" : ` (${whyAsk})`;
  const then = onAlarm === "rollback" ? "brings back what ran before" : `asks a person${because}`;
  return `until ${until} for ${named}, which ${then}`;
}
