import type { OperationOutput } from "../contract/operations.ts";
import type { AlarmName } from "../core/monitor/alarm/evaluation.ts";
import type { Environment, TargetName } from "../core/plan/schema.ts";
import type { AlarmRow, SuppressionRow, TransitionRow } from "../store/queries/alarms.ts";
import { timeOf } from "./rollout-view.ts";

export type AlarmView = OperationOutput<"alarms.list">["items"][number];
type SuppressionView = OperationOutput<"alarms.suppress">;

export function alarmView(row: AlarmRow, suppressions: readonly SuppressionRow[]): AlarmView {
  const { variant, alarm, state, reason, effect, acknowledgement } = row;
  const target = row.target as TargetName;
  const suppression = suppressions.find((one) => one.alarm === alarm);
  return {
    endpoint: { environment: row.environment as Environment, target, name: row.name },
    simulation: target === "simulated",
    ...{ variant, alarm, state, reason, effect },
    since: timeOf(row.sinceMs),
    evaluatedAt: timeOf(row.evaluatedAtMs),
    figures: [...row.figures],
    acknowledgement:
      acknowledgement === null
        ? null
        : { by: acknowledgement.by, at: timeOf(acknowledgement.atMs), comment: acknowledgement.comment },
    suppression: suppression === undefined ? null : suppressionView(suppression),
  };
}

export function suppressionView({ alarm, by, reason, atMs, untilMs }: SuppressionRow): SuppressionView {
  return { alarm: alarm as AlarmName, by, reason, at: timeOf(atMs), until: timeOf(untilMs) };
}

export function transitionView({ at, ...row }: TransitionRow): OperationOutput<"alarms.history">["items"][number] {
  return { ...row, at: at.toISOString() };
}
