import type { Verdict } from "../monitor/verdict.ts";

/**
 * What a verdict says without its figures: its outcome and that of each metric. Two of the same mark tell a reader of
 * the history the same.
 */
export function verdictMark({ outcome, metrics }: Verdict): string {
  const reasons = metrics.map((metric) => `${metric.metric}=${metric.outcome}`).sort();
  return [outcome, ...new Set(reasons)].join(" ");
}
