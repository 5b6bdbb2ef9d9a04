/**
 * What the measurements say about a candidate. Only `pass` moves traffic forward, only `fail` rolls back at once;
 * `inconclusive` (not enough data) and `error` (could not measure) hold until a limit and then roll back.
 */
export interface Verdict {
  outcome: "pass" | "fail" | "inconclusive" | "error";
  /** One entry a metric, with the arithmetic that led to its outcome, worst first. */
  metrics: MetricVerdict[];
}

export interface MetricVerdict {
  metric: "errors" | "latency" | "health" | "traffic" | "measurement";
  outcome: Verdict["outcome"];
  /** One sentence with the numbers in it. */
  message: string;
  observed: number | null;
  limit: number | null;
}
