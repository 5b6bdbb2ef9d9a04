/**
 * What the measurements say about a candidate. Only `pass` moves traffic forward, only `fail` rolls back at once;
 * `inconclusive` (not enough data) and `error` (could not measure) hold until a limit and then roll back.
 */
export interface Verdict {
  outcome: "pass" | "fail" | "inconclusive" | "error";
  /** One entry a metric, with the arithmetic that led to its outcome, worst first. */
  metrics: MetricVerdict[];
}

/**
 * `predictions`, `quality`, `drift` and `bias` come from the monitor, where the plan has one; `assignment` is the check
 * that the draw of versions is as random as it was meant to be.
 */
export const VERDICT_METRICS = [
  "errors",
  "latency",
  "health",
  "traffic",
  "measurement",
  "assignment",
  "predictions",
  "quality",
  "drift",
  "bias",
] as const;

export interface MetricVerdict {
  metric: (typeof VERDICT_METRICS)[number];
  outcome: Verdict["outcome"];
  /** One sentence with the numbers in it. */
  message: string;
  observed: number | null;
  limit: number | null;
  figures?: MetricFigures | undefined;
}

/** What a person needs to redo the sum of one metric. */
export interface MetricFigures {
  candidate: ArmFigures;
  stable: ArmFigures;
  /** What the estimates are, e.g. `share of failed requests`, `90th percentile in ms`. */
  unit: string;
  /** Of candidate against stable: the difference, or for `ratio` the ratio; null before it can be told. */
  interval: { of: "difference" | "ratio"; low: number; high: number; confidence: number } | null;
  /** How much worse the candidate may be, in the interval's terms. */
  margin: number | null;
  /** Against "the candidate is no worse"; it is rolled back at the threshold. */
  evidence: number;
  threshold: number;
  /** Against "the candidate is worse by the margin or more"; it is proven good enough at its threshold. */
  proof: { evidence: number; threshold: number } | null;
  /** About how many more requests the proof needs at this rate; null when that cannot be told. */
  moreRequests: number | null;
}

export interface ArmFigures {
  samples: number;
  estimate: number | null;
}
