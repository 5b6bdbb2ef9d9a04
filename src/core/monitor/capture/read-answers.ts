import { categoryOf, numberOf } from "../sketch/cell-value.ts";
import { fieldsOf, jsonOf, tensorRows } from "./body-values.ts";
import type { AnsweredRow, AnswerShape, CapturedBody, UnreadReason } from "./captured-inference.ts";
import { csvRows } from "./csv-rows.ts";

/** One output of the model: a value, or an array of values, for each row. Null for an answer that names no outputs. */
interface Output {
  name: string | null;
  rows: readonly unknown[];
}

/** How frameworks call their outputs when they are exported, without `output_` before it. */
const CLASS_NAMES = /^(output_)?(label|labels|class|classes|predicted_label|predicted_class|prediction|predictions)$/i;
const PROBABILITY_NAMES = /^(output_)?(probability|probabilities|proba|prob|score|scores)$/i;

/** How far from 1 the sum of probabilities in single precision, perhaps rounded for the answer, may be. */
const SUM_OFF_MAX = 0.01;

/**
 * What was answered for each row. Which output is which:
 *
 * - the plan's `prediction` and `probability` say it, by the output's name or its place in a row without names; an
 *   answer with one output needs no name, and is the one that the plan names;
 * - else an output called like a class or like a probability (as scikit-learn's, XGBoost's and SageMaker's exports call
 *   them) is that; two or more values a row are probabilities; of two outputs the other one is the class;
 * - else one value a row: of a regression the number; of a classification a fraction in [0, 1] is the probability, and
 *   anything else the class.
 */
export function readAnswers(
  body: CapturedBody | null,
  rows: number,
  shape: AnswerShape,
): readonly AnsweredRow[] | UnreadReason {
  if (body?.data == null) return "not-captured";
  const outputs = body.encoding === "CSV" ? csvOutputs(body.data, rows) : jsonOutputs(jsonOf(body.data));
  if (outputs === null || outputs.length === 0) return "unreadable";
  if (outputs.some((output) => output.rows.length !== rows)) return "rows-differ";
  const { prediction, probability } = choose(outputs, shape);
  const answers = Array.from({ length: rows }, (_, row) =>
    answerOf({ given: prediction?.rows[row], probabilities: probability?.rows[row], problem: shape.problem }),
  );
  const isNone = answers.every(({ predicted, value, score }) => predicted === null && value === null && score === null);
  return isNone ? "no-prediction" : answers;
}

interface Chosen {
  prediction: Output | undefined;
  probability: Output | undefined;
}

function choose(outputs: readonly Output[], shape: AnswerShape): Chosen {
  const [only, second] = outputs;
  const isAlone = second === undefined;
  const named = (wanted: string | null) => (wanted === null ? undefined : find(outputs, wanted));
  let prediction = named(shape.prediction);
  let probability = named(shape.probability);
  if (isAlone && only?.name === null && prediction === undefined && probability === undefined) {
    // Which of two named ones it is cannot be told.
    if (shape.prediction !== null && shape.probability !== null) return { prediction, probability };
    if (shape.prediction !== null) return { prediction: only, probability };
    if (shape.probability !== null) return { prediction, probability: only };
  }
  // A name that the answer has not is not replaced by a guess.
  const isFound = prediction !== undefined || probability !== undefined;
  const rest = isAlone && isFound ? [] : outputs.filter((output) => output !== prediction && output !== probability);
  if (shape.probability === null)
    probability = rest.find(({ name }) => PROBABILITY_NAMES.test(name ?? "")) ?? rest.find(isWide);
  if (shape.prediction === null) {
    const others = rest.filter((output) => output !== probability);
    prediction =
      others.find(({ name }) => CLASS_NAMES.test(name ?? "")) ?? (others.length === 1 ? others[0] : undefined);
  }
  // A regression has no probability, whatever its output is called.
  return shape.problem === "regression" && shape.probability === null
    ? { prediction: prediction ?? (isAlone ? only : undefined), probability: undefined }
    : { prediction, probability };
}

function find(outputs: readonly Output[], wanted: string): Output | undefined {
  const byName = outputs.find(({ name }) => name === wanted);
  const [only, second] = outputs;
  if (byName !== undefined || only?.name !== null || second !== undefined || !/^\d{1,4}$/.test(wanted)) return byName;
  const place = Number(wanted);
  const rows = only.rows.map((row): unknown => (Array.isArray(row) ? row[place] : place === 0 ? row : undefined));
  return rows.every((value) => value !== undefined) ? { name: wanted, rows } : undefined;
}

function isWide({ rows }: Output): boolean {
  return Array.isArray(rows[0]) && rows[0].length > 1;
}

function answerOf(row: { given: unknown; probabilities: unknown; problem: AnswerShape["problem"] }): AnsweredRow {
  const given = single(row.given);
  const number = numberOf(given);
  const isNumber = number !== null && Number.isFinite(number);
  if (row.problem === "regression") return { predicted: null, value: isNumber ? number : null, score: null };
  const { score, likeliest } = scoreOf(row.probabilities);
  const predicted = given === undefined ? null : (categoryOf(given) ?? null);
  if (row.problem === null && row.probabilities === undefined && isNumber)
    return { predicted, value: number, score: null };
  const isFraction = isNumber && number > 0 && number < 1;
  if (row.probabilities === undefined && isFraction) return { predicted: null, value: null, score: number };
  return { predicted: predicted ?? (row.problem === "binary" ? null : likeliest), value: null, score };
}

/** Of one value that value, of two the second, of more the greatest; several are probabilities when they add up to 1. */
function scoreOf(given: unknown): { score: number | null; likeliest: string | null } {
  const values: unknown[] = Array.isArray(given) ? given : given === undefined ? [] : [given];
  const numbers = values.map((value) => numberOf(value) ?? Number.NaN);
  if (numbers.length === 0 || numbers.some((value) => !(value >= 0 && value <= 1)))
    return { score: null, likeliest: null };
  const sum = numbers.reduce((total, value) => total + value, 0);
  if (numbers.length > 1 && Math.abs(sum - 1) > SUM_OFF_MAX) return { score: null, likeliest: null };
  const most = Math.max(...numbers);
  const score = numbers.length <= 2 ? numbers.at(-1) : most;
  return { score: score ?? null, likeliest: numbers.length > 1 ? String(numbers.indexOf(most)) : null };
}

function single(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 ? value[0] : value;
}

function csvOutputs(text: string, rows: number): Output[] {
  const lines = csvRows(text);
  // SageMaker's XGBoost answers several rows with one line.
  const [first = []] = lines;
  if (lines.length === 1 && rows > 1 && first.length === rows) return [{ name: null, rows: first }];
  return [{ name: null, rows: lines.map(single) }];
}

function jsonOutputs(value: unknown): Output[] | null {
  if (Array.isArray(value)) return rowOutputs(value);
  const body = fieldsOf(value);
  if (body === null) return value === undefined || value === null ? null : [{ name: null, rows: [value] }];
  const { predictions, outputs } = body;
  if (Array.isArray(predictions)) return rowOutputs(predictions);
  if (Array.isArray(outputs)) {
    const tensors = outputs.map(tensorOutput);
    if (tensors.every((tensor) => tensor !== null)) return tensors;
    return [{ name: null, rows: outputs.map(single) }];
  }
  const columns = fieldsOf(outputs);
  if (columns === null) return outputs === undefined ? rowOutputs([body]) : null;
  const entries = Object.entries(columns);
  return entries.flatMap(([name, rows]) => (Array.isArray(rows) ? [{ name, rows: rows.map(single) }] : []));
}

/** A row is the value of the only output, or an object with a value for each. */
function rowOutputs(rows: readonly unknown[]): Output[] {
  const first = fieldsOf(rows[0]);
  if (first === null) return [{ name: null, rows: rows.map(single) }];
  return Object.keys(first).map((name) => ({ name, rows: rows.map((row) => single(fieldsOf(row)?.[name])) }));
}

function tensorOutput(given: unknown): Output | null {
  const tensor = fieldsOf(given);
  const name = tensor?.["name"];
  if (tensor === null || typeof name !== "string") return null;
  const rows = tensorRows(tensor["data"], tensor["shape"]);
  return rows === null ? null : { name, rows };
}
