import type { OperationOutput } from "../../contract/operations.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import { type Column, textTable } from "./text-table.ts";

export type VerdictView = NonNullable<OperationOutput<"rollouts.get">["verdict"]>;
export type MetricView = VerdictView["metrics"][number];
export type Judged = MetricView & { figures: NonNullable<MetricView["figures"]> };

/** A verdict and the sums behind it: a line for each metric, then the numbers of those that have any. */
export function verdictText(verdict: VerdictView, paint: Paint): string {
  const head = `verdict of ${verdict.at}: ${outcomeWord(verdict.outcome, paint)}\n`;
  return `${head}${metricsText(verdict.metrics, paint)}`;
}

export function metricsText(metrics: readonly MetricView[], paint: Paint): string {
  const width = Math.max(...metrics.map(({ metric }) => metric.length), 0);
  const lines = metrics.map(
    ({ metric, outcome, message }) =>
      `  ${metric.padEnd(width)}  ${outcomeWord(outcome, paint)}: ${printable(message)}\n`,
  );
  const judged = metrics.filter((metric): metric is Judged => metric.figures !== undefined);
  const table = judged.length === 0 ? "" : textTable(judged, SUM_COLUMNS, "");
  const units = judged.map(({ metric, figures }) => `  ${metric}: ${printable(figures.unit)}\n`);
  const sums = judged.length === 0 ? "" : `the sums, where an estimate is\n${units.join("")}${table}${HOW_TO_READ}`;
  return `${lines.join("")}${sums}`;
}

const HOW_TO_READ =
  "evidence speaks against `no worse than stable`, and the candidate goes back when it reaches its threshold;\n" +
  "proof speaks against `worse by the margin`, and the candidate is proven good enough when it reaches its own.\n";

export const SUM_COLUMNS: readonly Column<Judged>[] = [
  { heading: "METRIC", value: ({ metric }) => metric },
  { heading: "CANDIDATE", value: ({ figures }) => armWords(figures.candidate) },
  { heading: "STABLE", value: ({ figures }) => armWords(figures.stable) },
  { heading: "INTERVAL", value: ({ figures }) => intervalWords(figures.interval) },
  { heading: "MARGIN", value: ({ figures }) => short(figures.margin) },
  { heading: "EVIDENCE", value: ({ figures }) => `${short(figures.evidence)} of ${short(figures.threshold)}` },
  {
    heading: "PROOF",
    value: ({ figures: { proof } }) => proof && `${short(proof.evidence)} of ${short(proof.threshold)}`,
  },
  { heading: "STILL NEEDS", value: ({ figures }) => moreWords(figures.moreRequests) },
];

function armWords({ samples, estimate }: Judged["figures"]["candidate"]): string {
  return `${short(estimate) ?? "unknown"} of ${samples}`;
}

function intervalWords(interval: Judged["figures"]["interval"]): string | null {
  if (interval === null) return null;
  const { of, low, high, confidence } = interval;
  return `${of} ${short(low)} to ${short(high)} (${short(100 * confidence)} %)`;
}

function moreWords(moreRequests: number | null): string | null {
  return moreRequests === null ? null : `about ${Math.ceil(moreRequests)} requests`;
}

export function outcomeWord(outcome: MetricView["outcome"], paint: Paint): string {
  if (outcome === "pass") return paint.good(outcome);
  return outcome === "fail" ? paint.bad(outcome) : paint.warn(outcome);
}

/** Four digits are enough to do a sum over again by. */
export function short(value: number | null): string | null {
  if (value === null) return null;
  const rounded = Number(value.toPrecision(4));
  return Math.abs(rounded) >= 1e9 ? rounded.toExponential() : String(rounded);
}
