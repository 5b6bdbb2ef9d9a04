import { judgementSettings, type MonitorSettings, monitorSettings } from "../../plan/monitor-settings.ts";
import type { Plan } from "../../plan/schema.ts";
import type { MetricVerdict, Verdict } from "../verdict.ts";
import type { AlarmName } from "./evaluation.ts";

type Part = "drift" | "predictions" | "quality" | "bias";

/** What the monitor's part of a verdict rests on. */
export interface MonitorPart {
  plan: Plan;
  /** As the monitor's stored state has them; null where no monitor looks at it. */
  metrics: readonly MetricVerdict[] | null;
  /** Alarms that a person suppressed. */
  suppressed: ReadonlySet<string>;
  /** Why too little data holds nothing up, e.g. for a first version, and whether a failure counts; null otherwise. */
  withoutSay: { why: string; failureCounts: boolean } | null;
}

const ALARM_OF: Record<Part, AlarmName> = {
  drift: "DataDriftAlarm",
  predictions: "DataDriftAlarm",
  quality: "ModelMonitorAlarm",
  bias: "ModelMonitorAlarm",
};
const RANK: Record<Verdict["outcome"], number> = { fail: 0, error: 1, inconclusive: 2, pass: 3 };

/**
 * The verdict on a bake with what the monitor measured. A plan without a monitor keeps its verdict as it is. A part that
 * the plan does not ask for takes no part and says so. A part fails the candidate only by an alarm that the plan names and
 * nobody suppressed. Too little data holds the bake for drift always; for answers when the plan rolls back on them; for
 * quality and bias only when the plan says by when labels are there (`horizonSeconds`) and that is within a bake: labels
 * that come later are what the watch period is for. What could not be measured holds the bake, whatever it is.
 */
export function withMonitor(verdict: Verdict, part: MonitorPart): Verdict {
  if (part.plan.spec.monitor === undefined) return verdict;
  const settings = monitorSettings(part.plan);
  const own = (["drift", "predictions", "quality", "bias"] as const).flatMap((name) => metricOf(name, part, settings));
  const metrics = [...verdict.metrics, ...own].toSorted((a, b) => RANK[a.outcome] - RANK[b.outcome]);
  return { outcome: worse(verdict.outcome, metrics), metrics };
}

function worse(outcome: Verdict["outcome"], metrics: readonly MetricVerdict[]): Verdict["outcome"] {
  return metrics.reduce((worst, metric) => (RANK[metric.outcome] < RANK[worst] ? metric.outcome : worst), outcome);
}

function metricOf(name: Part, part: MonitorPart, settings: MonitorSettings): MetricVerdict[] {
  const why = whyNotConfigured(name, settings);
  // Answers are watched beside inputs; nobody asks for them by themselves.
  if (why !== null) return name === "predictions" ? [] : [said(name, `not configured: ${why}`)];
  if (part.metrics === null)
    return name === "predictions" ? [] : [said(name, "not configured: no monitor looks at it")];
  const measured = part.metrics.find(({ metric }) => metric === name);
  if (measured === undefined && name === "predictions") return [];
  const seen = measured ?? { ...said(name, "nothing was measured yet"), outcome: "inconclusive" };
  if (seen.outcome === "pass") return [seen];
  const { withoutSay } = part;
  if (withoutSay !== null && (seen.outcome !== "fail" || !withoutSay.failureCounts))
    return [without(seen, withoutSay.why)];
  // That labels may come later excuses too little data, and no monitor that does not look.
  if (seen.outcome === "error" && name !== "predictions") return [seen];
  const quiet = seen.outcome === "fail" ? whyNotFailed(name, part) : whyNotHeld(name, part.plan, settings);
  return [quiet === null ? seen : without(seen, quiet)];
}

function whyNotConfigured(name: Part, { baseline, dataDrift, modelQuality, bias }: MonitorSettings): string | null {
  if (name === "quality") return modelQuality === null ? "the plan names no label" : null;
  if (name === "bias") return bias === null ? "the plan names no facet" : null;
  if (dataDrift === null) return "the plan asks for no data drift";
  return baseline === null ? "the plan names no baseline" : null;
}

/** Why what failed does not fail the candidate; null when it does. */
function whyNotFailed(name: Part, { plan, suppressed }: MonitorPart): string | null {
  const alarm = ALARM_OF[name];
  if (!(plan.spec.rollback.alarms ?? []).includes(alarm)) return `the plan does not name ${alarm}`;
  if (suppressed.has(alarm)) return `${alarm} is suppressed`;
  if (name !== "predictions" || judgementSettings(plan).onPredictionShift === "rollback") return null;
  return "a new model may answer otherwise, and the plan only wants to be told";
}

/** Why too little data does not hold the bake; null when it does. */
function whyNotHeld(name: Part, plan: Plan, { modelQuality }: MonitorSettings): string | null {
  if (name === "drift") return null;
  if (name === "predictions")
    return judgementSettings(plan).onPredictionShift === "rollback" ? null : "the plan only wants to be told";
  const horizon = modelQuality?.horizonSeconds ?? 0;
  const { bakeSeconds } = plan.spec.rollout;
  if (horizon > 0 && horizon < bakeSeconds) return null;
  return "labels may come after the bake";
}

function said(metric: Part, message: string): MetricVerdict {
  return { metric, outcome: "pass", message, observed: null, limit: null };
}

/** It is shown with its figures, and decides nothing. */
function without(metric: MetricVerdict, why: string): MetricVerdict {
  return { ...metric, outcome: "pass", message: `${metric.message} (takes no part: ${why})` };
}
