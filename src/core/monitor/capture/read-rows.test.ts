import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type {
  AnswerShape,
  CapturedAssignment,
  CapturedBody,
  CapturedInference,
  RowShape,
} from "./captured-inference.ts";
import { csvRows } from "./csv-rows.ts";
import { readRows } from "./read-rows.ts";

const ANY: AnswerShape = { problem: "binary", prediction: null, probability: null };
const SHAPE: RowShape = { columns: ["age", "balance", "gender"], optional: ["gender"], answer: ANY };
const STATUS_200: CapturedAssignment = {
  requestId: "r-1",
  variant: "v1",
  role: "stable",
  modelVersion: "1.0.0",
  candidateProbability: 0,
  status: 200,
  latencyMs: 1,
  attempts: 1,
  failedOver: false,
};

function bodyOf(value: unknown, isPartial = false): CapturedBody {
  if (typeof value === "string") return { encoding: "CSV", data: value, isPartial };
  return { encoding: "JSON", data: JSON.stringify(value), isPartial };
}
function inferenceOf(input: CapturedBody | null, output: CapturedBody | null): CapturedInference {
  const times = { requestedAtMs: 0, answeredAtMs: 1 };
  return { inferenceId: { raw: "r-1" }, ...times, continuum: STATUS_200, input, output };
}
const rowsOf = (input: unknown, options: { shape?: RowShape; isPartial?: boolean } = {}) => {
  const { rows, unreadRows } = readRows(inferenceOf(bodyOf(input, options.isPartial), null), options.shape ?? SHAPE);
  return unreadRows ?? rows;
};
const answersOf = (output: unknown, answer: Partial<AnswerShape> = {}, rows = 1) => {
  const input = bodyOf(Array.from({ length: rows }, () => [41, 5.5]));
  const shape = { ...SHAPE, answer: { ...ANY, ...answer } };
  const { answers, unreadAnswers } = readRows(inferenceOf(input, bodyOf(output)), shape);
  return unreadAnswers ?? answers;
};

const tensor = (name: string, shape: number[], data: unknown) => ({ name, shape, datatype: "FP32", data });

describe("two rows", () => {
  const whole = [
    [41, 5.5, "f"],
    [30, -1, "m"],
  ];
  const without = whole.map(([age, balance]) => [age, balance, undefined]);

  test.each<[string, unknown]>([
    ["instances", { instances: whole }],
    ["a bare array", whole],
    ["inputs", { inputs: whole }],
    [
      "objects",
      {
        instances: [
          { age: 41, balance: 5.5, gender: "f" },
          { balance: -1, gender: "m", age: 30 },
        ],
      },
    ],
    [
      "objects of columns of one",
      [
        { age: [41], balance: [5.5], gender: ["f"] },
        { age: [30], balance: [-1], gender: "m" },
      ],
    ],
    ["features", { instances: whole.map((features) => ({ features })) }],
    ["features within data", { instances: whole.map((values) => ({ data: { features: { values } } })) }],
    ["columns", { inputs: { age: [41, 30], balance: [[5.5], [-1]], gender: ["f", "m"] } }],
    ["all columns in one", { inputs: { features: whole } }],
    ["one tensor", { inputs: [tensor("input", [2, 3], whole.flat())] }],
    ["one nested tensor", { inputs: [tensor("input", [2, 3], whole)] }],
    [
      "a tensor for each",
      {
        inputs: [tensor("balance", [2, 1], [5.5, -1]), tensor("gender", [2], ["f", "m"]), tensor("age", [2], [41, 30])],
      },
    ],
  ])("as %s", (_what, body) => expect(rowsOf(body)).toEqual(whole));

  test.each<[string, unknown]>([
    [
      "instances",
      {
        instances: [
          [41, 5.5],
          [30, -1],
        ],
      },
    ],
    [
      "objects",
      {
        instances: [
          { age: 41, balance: 5.5 },
          { age: 30, balance: -1 },
        ],
      },
    ],
    ["columns", { inputs: { age: [41, 30], balance: [5.5, -1] } }],
    ["a tensor", { inputs: [tensor("x", [2, 2], [41, 5.5, 30, -1])] }],
  ])("without what the model need not be told, as %s", (_what, body) => expect(rowsOf(body)).toEqual(without));

  test("as CSV, with and without quotes", () => {
    expect(rowsOf("41,5.5,f\r\n30,-1,m\n")).toEqual(whole.map((row) => row.map(String)));
    expect(rowsOf('41, 5.5 ,"f, or ""F"""\n30,-1,"m\nn"')).toEqual([
      ["41", "5.5", 'f, or "F"'],
      ["30", "-1", "m\nn"],
    ]);
    expect(rowsOf("41,5.5\n30,-1\n")).toEqual(
      without.map(([age, balance]) => [String(age), String(balance), undefined]),
    );
  });
});

describe("one row", () => {
  test("without the outer array, and one column without the inner", () => {
    expect(rowsOf({ instances: [41, 5.5, "f"] })).toEqual([[41, 5.5, "f"]]);
    expect(rowsOf({ age: 41, balance: 5.5, gender: "f" })).toEqual([[41, 5.5, "f"]]);
    const single: RowShape = { columns: ["age"], optional: [], answer: ANY };
    expect(rowsOf({ instances: [41, 30] }, { shape: single })).toEqual([[41], [30]]);
    expect(rowsOf("41\n30", { shape: single })).toEqual([["41"], ["30"]]);
  });

  test("as JSON lines", () => {
    const data = '{"features":[41,5.5,"f"]}\n{"features":[30,-1,"m"]}\n';
    const { rows } = readRows(inferenceOf({ encoding: "JSON", data, isPartial: false }, null), SHAPE);
    expect(rows).toEqual([
      [41, 5.5, "f"],
      [30, -1, "m"],
    ]);
  });
});

describe("what is not there", () => {
  test("is missing where everything was kept, and not captured where something was left out", () => {
    expect(rowsOf({ instances: [[41, null, ""]] })).toEqual([[41, null, null]]);
    expect(rowsOf({ instances: [[41, null, ""]] }, { isPartial: true })).toEqual([[41, undefined, undefined]]);
    expect(rowsOf("41,,f")).toEqual([["41", null, "f"]]);
    expect(rowsOf("41,,f", { isPartial: true })).toEqual([["41", undefined, "f"]]);
    expect(rowsOf([{ age: 41, gender: "f" }])).toEqual([[41, null, "f"]]);
    expect(rowsOf([{ age: 41 }], { isPartial: true })).toEqual([[41, undefined, undefined]]);
    expect(rowsOf([{}, {}], { isPartial: true })).toEqual([
      [undefined, undefined, undefined],
      [undefined, undefined, undefined],
    ]);
    const tensors = { inputs: [tensor("age", [1], [41]), { name: "balance", shape: [1], datatype: "FP32" }] };
    expect(rowsOf(tensors, { isPartial: true })).toEqual([[41, undefined, undefined]]);
  });

  test.each<[string, string, unknown, boolean]>([
    ["nothing was kept", "not-captured", null, true],
    ["no name was kept", "not-captured", {}, true],
    ["a number alone", "unknown-shape", 5, false],
    ["nothing", "unknown-shape", [], false],
    ["names of others", "wrong-columns", [{ shoe: 44, hat: 5 }], false],
    ["too many values", "wrong-columns", [[1, 2, 3, 4]], false],
    ["too few", "wrong-columns", "1", false],
    [
      "rows of two lengths",
      "wrong-columns",
      [
        [1, 2, 3],
        [1, 2],
      ],
      false,
    ],
    ["rows of two kinds", "unknown-shape", [[1, 2, 3], { age: 1 }], false],
    ["columns of two lengths", "wrong-columns", { inputs: { age: [1, 2], balance: [1] } }, false],
    ["a column less", "wrong-columns", { inputs: { age: [1, 2] } }, false],
    ["a tensor whose shape is another", "unknown-shape", { inputs: [tensor("x", [2, 3], [1, 2, 3, 4, 5])] }, false],
    ["two wide tensors", "wrong-columns", { inputs: [tensor("x", [1, 2], [1, 2]), tensor("y", [1, 1], [3])] }, false],
    ["a picture", "wrong-columns", [[[1, 2, 3]]], false],
  ])("with %s there is a reason: %s", (_what, reason, body, isPartial) => {
    expect(rowsOf(body, { isPartial })).toBe(reason);
  });

  test("a request that failed, one that was not kept, and one that is no JSON", () => {
    const failed = { ...inferenceOf(bodyOf([[1, 2]]), null), continuum: { ...STATUS_200, status: 500 } };
    expect(readRows(failed, SHAPE)).toMatchObject({ rows: [], unreadRows: "failed", unreadAnswers: "failed" });
    expect(readRows(inferenceOf(null, null), SHAPE).unreadRows).toBe("not-captured");
    const broken = { encoding: "JSON" as const, data: "{", isPartial: false };
    expect(readRows(inferenceOf(broken, null), SHAPE).unreadRows).toBe("unreadable");
    expect(readRows(inferenceOf(bodyOf([[1, 2]]), null), SHAPE)).toMatchObject({
      answers: null,
      unreadAnswers: "not-captured",
    });
  });
});

const scored = (score: number) => [{ predicted: null, value: null, score }];
const classified = (predicted: string, score: number | null = null) => [{ predicted, value: null, score }];
const valued = (value: number) => [{ predicted: null, value, score: null }];

describe("the answer for a row", () => {
  test.each<[string, unknown, Partial<AnswerShape>, unknown]>([
    ["a probability alone", { predictions: [0.75] }, {}, scored(0.75)],
    ["a probability in CSV", "0.75\n", {}, scored(0.75)],
    ["a class alone", { predictions: [1] }, {}, classified("1")],
    ["a class as a text", { predictions: [["churned"]] }, {}, classified("churned")],
    ["a class, true or false", { predictions: [true] }, {}, classified("true")],
    ["two probabilities", { predictions: [[0.25, 0.75]] }, {}, scored(0.75)],
    ["three probabilities", { predictions: [[0.2, 0.7, 0.1]] }, { problem: "multiclass" }, classified("1", 0.7)],
    [
      "a class and probabilities",
      { predictions: [{ label: 1, probabilities: [0.25, 0.75] }] },
      {},
      classified("1", 0.75),
    ],
    ["the other way round", { predictions: [{ probabilities: [0.25, 0.75], label: 1 }] }, {}, classified("1", 0.75)],
    [
      "outputs of an export",
      { predictions: [{ output_label: 0, output_probability: [0.9, 0.1] }] },
      {},
      classified("0", 0.1),
    ],
    ["outputs without known names", { predictions: [{ variable: 1, dense: [0.3, 0.7] }] }, {}, classified("1", 0.7)],
    ["SageMaker's linear learner", { predictions: [{ score: 0.9, predicted_label: 1 }] }, {}, classified("1", 0.9)],
    ["by column", { outputs: { label: [1], probabilities: [[0.25, 0.75]] } }, {}, classified("1", 0.75)],
    ["by column, one", { outputs: [[0.25, 0.75]] }, {}, scored(0.75)],
    [
      "tensors",
      { model_name: "m", outputs: [tensor("label", [1], [1]), tensor("probabilities", [1, 2], [0.25, 0.75])] },
      {},
      classified("1", 0.75),
    ],
    [
      "named by the plan",
      { predictions: [{ a: 0.3, b: 1, c: [9] }] },
      { prediction: "b", probability: "a" },
      classified("1", 0.3),
    ],
    ["named by its place", "1,0.3,9", { prediction: "0", probability: "1" }, classified("1", 0.3)],
    ["the only one, whatever the plan calls it", { predictions: [1] }, { probability: "p" }, scored(1)],
    ["a score of 0 that is said to be a probability", "0", { probability: "0" }, scored(0)],
    ["a number", { predictions: [[12.5]] }, { problem: "regression" }, valued(12.5)],
    ["a number called score", { predictions: [{ score: -3 }] }, { problem: "regression" }, valued(-3)],
    ["a number between 0 and 1", { predictions: [0.5] }, { problem: "regression" }, valued(0.5)],
    [
      "a number, of no stated problem",
      { predictions: [0.5] },
      { problem: null },
      [{ predicted: "0.5", value: 0.5, score: null }],
    ],
    ["a bare value", 0.75, {}, scored(0.75)],
  ])("is %s", (_what, output, shape, expected) => expect(answersOf(output, shape)).toEqual(expected));

  test.each<[string, string, unknown, Partial<AnswerShape>, number]>([
    ["fewer answers than rows", "rows-differ", { predictions: [0.5] }, {}, 2],
    ["more", "rows-differ", { predictions: [0.5, 0.5] }, {}, 1],
    ["nothing that is a prediction", "no-prediction", { predictions: [{ embedding: [5, 6, 7] }] }, {}, 1],
    [
      "no output of the plan's name",
      "no-prediction",
      { predictions: [{ a: 1, b: 2 }] },
      { prediction: "c", probability: "d" },
      1,
    ],
    ["one value for two names", "no-prediction", { predictions: [0.5] }, { prediction: "c", probability: "d" }, 1],
    ["a text for a regression", "no-prediction", { predictions: ["high"] }, { problem: "regression" }, 1],
    ["two values that are no probabilities", "no-prediction", "1,0.3", {}, 1],
    ["null", "unreadable", null, {}, 1],
    ["a tensor whose shape is another", "rows-differ", { outputs: [tensor("y", [2], [1])] }, {}, 2],
  ])("with %s is not known: %s", (_what, reason, output, shape, rows) => {
    expect(answersOf(output, shape, rows)).toBe(reason);
  });

  test("stands in its row's place", () => {
    expect(answersOf({ predictions: [0.1, 0.9, 1] }, {}, 3)).toEqual([
      ...scored(0.1),
      ...scored(0.9),
      ...classified("1"),
    ]);
    expect(answersOf("0.1,0.9", {}, 2)).toEqual([...scored(0.1), ...scored(0.9)]);
    expect(answersOf("0.1\n0.9\n", {}, 2)).toEqual([...scored(0.1), ...scored(0.9)]);
  });
});

test("any body has an answer, and rows are as wide as the shape", () => {
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    fc.json().map((json) => `{"instances":[${json}]}`),
    fc.json().map((json) => `{"inputs":[{"name":"age","shape":[1],"data":${json}}]}`),
  );
  fc.assert(
    fc.property(
      body,
      body,
      fc.boolean(),
      fc.constantFrom("CSV" as const, "JSON" as const),
      (input, output, isPartial, encoding) => {
        const inference = inferenceOf({ encoding, data: input, isPartial }, { encoding, data: output, isPartial });
        const { rows, answers, unreadRows } = readRows(inference, SHAPE);
        expect(rows.length > 0).toBe(unreadRows === null);
        expect(rows.every((row) => row.length === SHAPE.columns.length)).toBe(true);
        if (answers !== null) expect(answers).toHaveLength(rows.length);
      },
    ),
    { numRuns: 1000 },
  );
});

test("quotes of any kind come to an end", () => {
  const cells = fc.array(fc.constantFrom('"', '""', ",", "\n", "\r\n", "a", " "), { maxLength: 40 });
  fc.assert(
    fc.property(cells, (parts) => {
      expect(Array.isArray(csvRows(parts.join("")))).toBe(true);
    }),
  );
  const before = process.cpuUsage();
  for (const text of ['"'.repeat(64_000), '",'.repeat(32_000), '"\n"'.repeat(20_000), `"${",".repeat(64_000)}`])
    csvRows(text);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(500);
});
