import type { Problem, QualitySettings } from "../../plan/monitor-settings.ts";
import { sameValue } from "../bias/bias-tally.ts";
import { BINARY_METRICS, type BinaryConfusion, binaryMetrics } from "./binary-metrics.ts";
import type { Estimate } from "./estimate.ts";
import { MULTICLASS_METRICS, multiclassMetrics } from "./multiclass-metrics.ts";
import { REGRESSION_METRICS, type RegressionState, RegressionSums, regressionMetrics } from "./regression-metrics.ts";
import { ScoreCounts, type ScoreCountsState } from "./score-counts.ts";

/** What a model answered. What was not captured is null. */
export interface ModelAnswer {
  predicted: string | null;
  value: number | null;
  /** Probability of the positive class. */
  score: number | null;
}

/** How answers are read, out of a plan's settings. */
export type QualityReading = Pick<QualitySettings, "problem" | "positive" | "decisionThreshold">;

/** Why an answer or its label could not be judged. */
export const UNUSABLE_REASONS = ["no-prediction", "no-number", "too-many-classes"] as const;
export type UnusableReason = (typeof UNUSABLE_REASONS)[number];

export interface QualityTallyState {
  problem: Problem;
  answers: number;
  labelled: number;
  unusable: Record<UnusableReason, number>;
  /** Scores of all answers, which need no labels. */
  allScores: ScoreCountsState;
  scores: ScoreCountsState;
  confusion: [string, string, number][];
  errors: RegressionState;
}

/** More classes than this are not a class each; what has one of the rest is counted and left out. */
const CLASSES_MAX = 100;
const POSITIVE = "1";
const NEGATIVE = "0";

/**
 * All that the quality of a model follows from, mergeable and bounded: its scores, its confusion matrix or its errors.
 * For a binary problem the score decides the class by the plan's threshold where there is one.
 */
export class QualityTally {
  readonly #reading: QualityReading;
  #answers = 0;
  #labelled = 0;
  readonly #unusable: Record<UnusableReason, number> = { "no-prediction": 0, "no-number": 0, "too-many-classes": 0 };
  #allScores = new ScoreCounts();
  #scores = new ScoreCounts();
  /** By true class and predicted class; `1` and `0` for a binary problem. */
  readonly #confusion = new Map<string, Map<string, number>>();
  readonly #classes = new Set<string>();
  #errors = new RegressionSums();

  constructor(reading: QualityReading) {
    this.#reading = reading;
  }

  /** Counts an answer, before anything is known of its truth. */
  addAnswer({ score }: ModelAnswer): void {
    this.#answers += 1;
    if (score !== null && this.#reading.problem === "binary") this.#allScores.add(score, false);
  }

  /** The truth of an answer that `addAnswer` has counted. Answers whether it could be judged. */
  addLabel(answer: ModelAnswer, label: string): boolean {
    const unusable = this.#judge(answer, label);
    if (unusable === undefined) this.#labelled += 1;
    else this.#unusable[unusable] += 1;
    return unusable === undefined;
  }

  merge(other: QualityTally): void {
    this.#answers += other.#answers;
    this.#labelled += other.#labelled;
    for (const reason of UNUSABLE_REASONS) this.#unusable[reason] += other.#unusable[reason];
    this.#allScores.merge(other.#allScores);
    this.#scores.merge(other.#scores);
    this.#errors.merge(other.#errors);
    for (const [label, row] of other.#confusion)
      for (const [predicted, count] of row) this.#count(label, predicted, count);
  }

  get problem(): Problem {
    return this.#reading.problem;
  }
  get answers(): number {
    return this.#answers;
  }
  /** Labelled answers that could be judged. */
  get labelled(): number {
    return this.#labelled;
  }
  get unusable(): Readonly<Record<UnusableReason, number>> {
    return this.#unusable;
  }
  get allScores(): ScoreCounts {
    return this.#allScores;
  }
  get scores(): ScoreCounts {
    return this.#scores;
  }
  get confusion(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    return this.#confusion;
  }

  binaryConfusion(): BinaryConfusion {
    const count = (label: string, predicted: string) => this.#confusion.get(label)?.get(predicted) ?? 0;
    return {
      truePositives: count(POSITIVE, POSITIVE),
      falsePositives: count(NEGATIVE, POSITIVE),
      falseNegatives: count(POSITIVE, NEGATIVE),
      trueNegatives: count(NEGATIVE, NEGATIVE),
    };
  }

  /** Every metric of the problem, by SageMaker's name. */
  metrics(confidence: number): Record<string, Estimate> {
    if (this.problem === "binary")
      return binaryMetrics({ confusion: this.binaryConfusion(), scores: this.#scores }, confidence);
    if (this.problem === "multiclass") return multiclassMetrics(this.#confusion, confidence);
    return regressionMetrics(this.#errors, confidence);
  }

  toState(): QualityTallyState {
    return {
      problem: this.problem,
      answers: this.#answers,
      labelled: this.#labelled,
      unusable: { ...this.#unusable },
      allScores: this.#allScores.toState(),
      scores: this.#scores.toState(),
      confusion: [...this.#confusion].flatMap(([label, row]) =>
        [...row].map(([predicted, count]): [string, string, number] => [label, predicted, count]),
      ),
      errors: this.#errors.toState(),
    };
  }

  static fromState(reading: QualityReading, state: QualityTallyState): QualityTally {
    const made = new QualityTally(reading);
    made.#answers = state.answers;
    made.#labelled = state.labelled;
    for (const reason of UNUSABLE_REASONS) made.#unusable[reason] = state.unusable[reason];
    made.#allScores = ScoreCounts.fromState(state.allScores);
    made.#scores = ScoreCounts.fromState(state.scores);
    made.#errors = RegressionSums.fromState(state.errors);
    for (const [label, predicted, count] of state.confusion) made.#count(label, predicted, count);
    return made;
  }

  #judge(answer: ModelAnswer, label: string): UnusableReason | undefined {
    if (this.problem === "regression") {
      const truth = label.trim() === "" ? Number.NaN : Number(label);
      if (answer.value === null) return "no-prediction";
      if (!Number.isFinite(truth) || !Number.isFinite(answer.value)) return "no-number";
      this.#errors.add(answer.value, truth);
      return undefined;
    }
    if (this.problem === "binary") {
      const predicted = predictedPositive(this.#reading, answer);
      if (predicted === null) return "no-prediction";
      const isPositive = sameValue(label, this.#reading.positive);
      this.#count(isPositive ? POSITIVE : NEGATIVE, predicted ? POSITIVE : NEGATIVE, 1);
      if (answer.score !== null) this.#scores.add(answer.score, isPositive);
      return undefined;
    }
    if (answer.predicted === null) return "no-prediction";
    return this.#count(label, sameValue(label, answer.predicted) ? label : answer.predicted, 1)
      ? undefined
      : "too-many-classes";
  }

  #count(label: string, predicted: string, count: number): boolean {
    const added = new Set([label, predicted].filter((name) => !this.#classes.has(name)));
    if (this.#classes.size + added.size > CLASSES_MAX) return false;
    for (const name of added) this.#classes.add(name);
    const row = this.#confusion.get(label) ?? new Map<string, number>();
    row.set(predicted, (row.get(predicted) ?? 0) + count);
    this.#confusion.set(label, row);
    return true;
  }
}

/** Whether a binary answer is the positive class: by its score, or else by the class it names; null when it says neither. */
export function predictedPositive(
  { positive, decisionThreshold }: Pick<QualityReading, "positive" | "decisionThreshold">,
  { score, predicted }: Pick<ModelAnswer, "score" | "predicted">,
): boolean | null {
  if (score !== null) return score >= decisionThreshold;
  return predicted === null ? null : sameValue(predicted, positive);
}

/** The metrics that a problem has, by SageMaker's names. */
export function metricsOf(problem: Problem): readonly string[] {
  if (problem === "binary") return BINARY_METRICS;
  return problem === "multiclass" ? MULTICLASS_METRICS : REGRESSION_METRICS;
}

/** Of these more is worse. */
const ERRORS: ReadonlySet<string> = new Set(["mae", "mse", "rmse", "false_positive_rate", "false_negative_rate"]);

export function isError(metric: string): boolean {
  return ERRORS.has(metric);
}
