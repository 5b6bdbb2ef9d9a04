import type { WatchPeriod } from "../../rollout/watch-period.ts";
import type { Suppression } from "./suppression.ts";
import { isSuppressing } from "./suppression.ts";

/** What an ALARM is about, as it is at one moment. */
export interface AlarmSituation {
  alarm: string;
  nowMs: number;
  suppression: Suppression | null;
  /** The version is the candidate of a rollout that has not ended. */
  underWay: boolean;
  /** It brings back what ran before. */
  restore: boolean;
  /** The version is the one that serves. */
  live: boolean;
  /** Since its rollout succeeded; null when it did not or is not watched. */
  watch: WatchPeriod | null;
  /** Another rollout that holds the endpoint. */
  otherRollout: string | null;
  /** What ran before is coming back already. */
  restoring: boolean;
}

/** `rollout`: tell the rollout. `restore`: bring back what ran before. The sentence is for a person. */
export interface AlarmResponse {
  kind: "rollout" | "restore" | "ask" | "none";
  message: string;
}

/**
 * What follows from an ALARM. Only what the plan names is acted on: by the rollout while it is under way, and afterwards
 * within the watch period, on the version that serves. Whatever is suppressed, or has no one to act on, is recorded.
 */
export function alarmResponse(of: AlarmSituation): AlarmResponse {
  const { alarm, suppression, watch } = of;
  if (suppression !== null && isSuppressing(suppression, of.nowMs))
    return none(`It is suppressed by ${suppression.by} until ${new Date(suppression.untilMs).toISOString()}.`);
  if (of.underWay && of.restore) return none("It brings back what ran before, and would put back what was left.");
  if (of.underWay) return { kind: "rollout", message: "The rollout is told." };
  if (!of.live) return none("This version does not serve any more.");
  if (watch === null) return none("Its rollout is over, and its plan has no watch period.");
  if (of.nowMs >= watch.untilMs) return none(`Its watch period ended at ${new Date(watch.untilMs).toISOString()}.`);
  if (!watch.alarms.includes(alarm)) return none(`The plan does not name ${alarm} in rollback.alarms.`);
  if (of.restoring) return none("What ran before it is coming back already.");
  // Its own end decides which version is watched from then on.
  if (of.otherRollout !== null) return none(`The rollout ${of.otherRollout} is under way.`);
  if (watch.onAlarm === "rollback") return { kind: "restore", message: "What ran before it is brought back." };
  const why = watch.whyAsk === null ? "the plan asks a person" : watch.whyAsk;
  return { kind: "ask", message: `It waits for a person: ${why}.` };
}

function none(message: string): AlarmResponse {
  return { kind: "none", message };
}
