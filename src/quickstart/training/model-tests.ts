import { createHash } from "node:crypto";
import { openClassifier, type Predict, type Predictions } from "../onnx/classifier-session.ts";
import { type Dataset, meanRow } from "./dataset.ts";
import { element } from "./element.ts";
import type { TestCaseResult, TestOutcome, TestReport } from "./junit.ts";
import { accuracy, areaUnderRoc, DECISION_THRESHOLD } from "./metrics.ts";
import type { TrainedModel } from "./train-models.ts";

export interface ModelTestTask {
  suite: string;
  predict: Predict;
  /** Rows that the model was not trained on, of both classes. */
  sample: Dataset;
  limits: ModelTestLimits;
  properties: Readonly<Record<string, string>>;
}

/** All are shares or probabilities, 0 to 1. */
export interface ModelTestLimits {
  accuracyMin: number;
  aucMin: number;
  /** How much more probable the mean positive row must be than the mean negative one. */
  separationMin: number;
  /** How far the probability may dip on the way from the one to the other. */
  dipMax: number;
}

/** A model that always names the larger class reaches an accuracy of .63, one that guesses an AUC of .5. */
export const MODEL_TEST_LIMITS: ModelTestLimits = { accuracyMin: 0.85, aucMin: 0.95, separationMin: 0.5, dipMax: 0.1 };

/** Adding up in another order may change the last bits of a 32-bit float. */
const BATCH_DIFFERENCE_MAX = 1e-6;

/** What is wrong, or nothing. */
type Check = () => Promise<string | undefined>;

/** Loads a trained model and runs its authors' own tests on their own sample. */
export async function testTrainedModel(model: TrainedModel): Promise<TestReport> {
  const session = await openClassifier(model.onnx);
  try {
    return await runModelTests({
      suite: model.name,
      predict: session.predict,
      sample: model.testSample,
      limits: MODEL_TEST_LIMITS,
      properties: {
        "model.sha256": createHash("sha256").update(model.onnx).digest("hex"),
        "sample.rows": String(model.testSample.rows.length),
      },
    });
  } finally {
    await session.close();
  }
}

/** Runs every case, one after the other; an exception is an error of its case and stops no other. */
export async function runModelTests(task: ModelTestTask): Promise<TestReport> {
  const startedAt = new Date();
  const cases: TestCaseResult[] = [];
  for (const [name, check] of Object.entries(checksOf(task))) cases.push(await runCheck(name, check));
  return { suite: task.suite, startedAt, cases, properties: task.properties };
}

async function runCheck(name: string, check: Check): Promise<TestCaseResult> {
  const started = performance.now();
  const outcome = await outcomeOf(check);
  return { name, durationSeconds: (performance.now() - started) / 1000, outcome };
}

async function outcomeOf(check: Check): Promise<TestOutcome> {
  try {
    const wrong = await check();
    return wrong === undefined ? { kind: "passed" } : { kind: "failure", message: wrong };
  } catch (error) {
    return { kind: "error", message: error instanceof Error ? error.message : String(error) };
  }
}

function checksOf(task: ModelTestTask): Readonly<Record<string, Check>> {
  const { predict, sample, limits } = task;
  return {
    "answers a row of zeros and the mean row": async () => {
      const width = sample.featureNames.length;
      return shapeProblem(await predict([new Float32Array(width), meanRow(sample.rows)]), 2);
    },
    "answers every row once": async () => shapeProblem(await predict(sample.rows), sample.rows.length),
    "gives probabilities from 0 to 1 and the label that follows from them": async () =>
      rangeProblem(await predict(sample.rows)),
    [`is right on at least ${percent(limits.accuracyMin)} of the sample`]: async () => {
      const reached = accuracy((await predict(sample.rows)).probabilities, sample.labels);
      return belowProblem("accuracy", reached, limits.accuracyMin);
    },
    [`ranks with an AUC of at least ${limits.aucMin}`]: async () => {
      const reached = areaUnderRoc((await predict(sample.rows)).probabilities, sample.labels);
      return belowProblem("AUC", reached, limits.aucMin);
    },
    "gives the same answer twice": async () =>
      differenceProblem(await predict(sample.rows), await predict(sample.rows), 0),
    "gives a row the same answer alone and in a batch": async () => {
      const rows = sample.rows.slice(0, 20);
      const alone: number[] = [];
      for (const row of rows) alone.push(...(await predict([row])).probabilities);
      return differenceProblem({ probabilities: alone, labels: [] }, await predict(rows), BATCH_DIFFERENCE_MAX);
    },
    "grows more certain on the way from the mean negative to the mean positive row": async () =>
      pathProblem((await predict(pathBetweenClasses(sample))).probabilities, limits),
  };
}

function shapeProblem(predictions: Predictions, rows: number): string | undefined {
  const { probabilities, labels } = predictions;
  if (probabilities.length === rows && labels.length === rows) return undefined;
  return `expected ${rows} probabilities and labels, got ${probabilities.length} and ${labels.length}`;
}

function rangeProblem(predictions: Predictions): string | undefined {
  const row = predictions.probabilities.findIndex((probability, index) => {
    const expected = probability > DECISION_THRESHOLD ? 1 : 0;
    return !(probability >= 0 && probability <= 1) || predictions.labels[index] !== expected;
  });
  if (row < 0) return undefined;
  return `row ${row} has probability ${predictions.probabilities[row]} and label ${predictions.labels[row]}`;
}

function belowProblem(metric: string, reached: number, limit: number): string | undefined {
  return reached >= limit ? undefined : `${metric} is ${reached.toFixed(4)}, below ${limit}`;
}

function differenceProblem(one: Predictions, other: Predictions, limit: number): string | undefined {
  if (one.probabilities.length !== other.probabilities.length) return "the two answers differ in length";
  const row = one.probabilities.findIndex(
    (probability, index) => !(Math.abs(probability - element(other.probabilities, index)) <= limit),
  );
  return row < 0 ? undefined : `row ${row} got ${one.probabilities[row]} and then ${other.probabilities[row]}`;
}

function pathProblem(path: readonly number[], limits: ModelTestLimits): string | undefined {
  const separation = element(path, path.length - 1) - element(path, 0);
  if (!(separation >= limits.separationMin)) {
    return `the ends differ by ${separation.toFixed(4)}, less than ${limits.separationMin}`;
  }
  let highest = 0;
  for (const [step, probability] of path.entries()) {
    highest = Math.max(highest, probability);
    if (highest - probability > limits.dipMax) {
      return `step ${step} falls to ${probability.toFixed(4)} from ${highest.toFixed(4)}`;
    }
  }
  return undefined;
}

/** Eleven rows on the straight line between the means of the two classes. */
function pathBetweenClasses(sample: Dataset): readonly Float32Array[] {
  const [negative, positive] = [0, 1].map((label) =>
    meanRow(sample.rows.filter((_, row) => sample.labels[row] === label)),
  );
  if (negative === undefined || positive === undefined) return [];
  return Array.from({ length: 11 }, (_, step) =>
    negative.map((value, column) => value + ((element(positive, column) - value) * step) / 10),
  );
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
