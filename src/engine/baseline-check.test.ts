import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, test } from "vitest";
import { readModelInputs } from "../core/baseline/model-inputs.ts";
import { onnxModel } from "../quickstart/onnx/model.ts";
import { readBaseline } from "../tables/read-baseline.ts";
import { checkBaseline } from "./baseline-check.ts";

type Input = Parameters<typeof onnxModel>[0]["inputs"][number];

function modelOf(inputs: Input[]): Uint8Array {
  return onnxModel({
    name: "m",
    inputs,
    outputs: [{ name: "y", type: "float", shape: ["N", 2] }],
    nodes: [{ operator: "Identity", inputs: [inputs[0]?.name ?? ""], outputs: ["y"] }],
    initializers: [{ name: "weights", type: "float", shape: [1], values: [1] }],
    opset: { standard: 17 },
  });
}

const WIDE = modelOf([{ name: "features", type: "float", shape: ["N", 2] }]);
const NAMED = modelOf([
  { name: "age", type: "float", shape: ["N", 1] },
  { name: "visits", type: "int64", shape: ["N", 1] },
]);
const MONITOR = { modelQuality: { label: "churned" }, bias: { facet: "gender" } };
const fitOf = (model: Uint8Array, csv: string | Uint8Array, monitor: object = MONITOR) =>
  checkBaseline({ model, baseline: Buffer.from(csv), monitor: monitor as typeof MONITOR });

describe("a baseline of a model with one wide input", () => {
  test.each([
    ["its columns and the label", "a,b,churned\n1,2,0\n3.5,-4e2,1\n"],
    ["the facet besides", "gender,a,b,churned\nf,1,2,0\n"],
    ["no label", "a,b\n1,2\n"],
    ["line ends of another system, a mark, quotes and an empty cell", '\ufeff"a","b"\r\n"1",\r\n2,3\r\n\r\n'],
    ["the facet as one of them", "a,gender,churned\n1,0,1\n"],
  ])("fits with %s", async (_what, csv) => expect(await fitOf(WIDE, csv)).toEqual({ fits: true }));

  test.each([
    ["a column too few", "a,churned\n1,0\n", "takes 2 values in a row, and the baseline has 1"],
    ["a column too many", "a,b,c,churned\n1,2,3,0\n", "baseline has 3"],
    ["words", "a,b\n1,secret\n", 'column "b" holds something else'],
    ["a price", "a,b\n1,$5\n", 'column "b"'],
    ["a row cut short", "a,b\n1\n", "line 2, row 1: it has 1 value and the header 2"],
    ["a quote that does not end", 'a,b\n1,"2\n', "does not end"],
    ["no row", "a,b\n", "no row"],
    ["nothing", "", "no header"],
    ["two columns of one name", "a,a\n1,2\n", "same name"],
    ["a column without a name", "a,\n1,2\n", "olumn 2 of the table has no name"],
  ])("does not fit with %s", async (_what, csv, words) => {
    const answer = await fitOf(WIDE, csv);
    expect(answer).toMatchObject({ fits: false, problem: expect.stringContaining(words) });
    expect(JSON.stringify(answer)).not.toContain("secret");
  });
});

describe("a baseline with what a model answered, and a group", () => {
  const monitor = {
    dataDrift: { prediction: "score" },
    modelQuality: { label: "churned", prediction: "class", probability: "p" },
    bias: { facet: "gender", group: "region" },
  };
  const rows = (columns: string[]) => `${columns.join(",")}\n${columns.map(() => 1).join(",")}\n`;

  test.each([
    ["all of it", ["a", "b", "gender", "region", "p", "class", "score", "churned"]],
    ["none of it", ["a", "b"]],
    ["the group as an input", ["a", "region", "gender", "churned"]],
    ["both as inputs", ["gender", "region", "p"]],
  ])("fits a wide input with %s", async (_what, columns) =>
    expect(await fitOf(WIDE, rows(columns), monitor)).toEqual({ fits: true }),
  );

  test("fits inputs that have names", async () =>
    expect(await fitOf(NAMED, rows(["age", "visits", "gender", "region", "p"]), monitor)).toEqual({ fits: true }));

  test("does not fit when the plan does not name them", async () => {
    const problem = "The model takes 2 values in a row, and the baseline has 3 columns of input.";
    expect(await fitOf(WIDE, rows(["a", "b", "p", "churned"]))).toEqual({ fits: false, problem });
  });
});

describe("a baseline of a model whose inputs have names", () => {
  test.each([
    ["in any order", "visits,age,churned\n3,41.5,0\n"],
    ["with the facet, which the model is not told", "age,gender,visits\n41,f,3\n"],
  ])("fits by name %s", async (_what, csv) => expect(await fitOf(NAMED, csv)).toEqual({ fits: true }));

  test.each([
    ["one is missing", "age,churned\n41,0\n", 'no column for the model\'s input "visits"'],
    ["one is too many", "age,visits,shoe\n41,3,44\n", 'column "shoe" is no input'],
    ["one is of another type", "age,visits\n41,3.5\n", "whole numbers"],
    ["a whole number is missing", "age,visits\n41,\n", "whole numbers"],
    ["the names differ by case", "Age,visits\n41,3\n", 'input "age"'],
  ])("does not fit when %s", async (_what, csv, words) =>
    expect(await fitOf(NAMED, csv)).toMatchObject({ fits: false, problem: expect.stringContaining(words) }),
  );
});

describe("a baseline in another form", () => {
  test("JSON Lines, Parquet and statistics are compared alike", async () => {
    const rows = [...Array(40).keys()].map((at) => ({ age: at + 0.5, visits: at % 7 }));
    const lines = rows.map((row) => JSON.stringify(row)).join("\n");
    const columnData = [
      { name: "age", data: rows.map(({ age }) => age), type: "DOUBLE" as const },
      { name: "visits", data: rows.map(({ visits }) => visits), type: "INT32" as const },
    ];
    const parquet = new Uint8Array(parquetWriteBuffer({ columnData }));
    const { statistics } = await readBaseline(Buffer.from(lines));
    for (const form of [lines, parquet, JSON.stringify(statistics), JSON.stringify(statistics, null, 2)]) {
      expect(await fitOf(NAMED, form)).toEqual({ fits: true });
      expect(await fitOf(NAMED, form, { modelQuality: { label: "age" } })).toMatchObject({
        problem: expect.stringContaining('"age"'),
      });
    }
    const fractions = JSON.stringify(statistics)
      .replace('"name":"age"', '"name":"x"')
      .replace('"name":"visits"', '"name":"age"')
      .replace('"name":"x"', '"name":"visits"');
    expect(await fitOf(NAMED, fractions)).toMatchObject({ problem: expect.stringContaining("whole numbers") });
  });

  test("a damaged one is a problem in a sentence, without its content", async () => {
    const parquet = parquetWriteBuffer({ columnData: [{ name: "a", data: ["secret", "secret"] }] });
    const damaged = new Uint8Array(parquet).fill(0xff, 10, 40);
    for (const form of [damaged, '{"version":0,"dataset":{"item_count":1},"features":["secret"]}']) {
      const answer = await fitOf(WIDE, form);
      expect(answer).toMatchObject({ problem: expect.stringMatching(/^The baseline cannot be used: .*\.$/) });
      expect(JSON.stringify(answer)).not.toContain("secret");
    }
  });
});

test("what is no model, or a model that takes a picture, fits no table", async () => {
  expect(await fitOf(Buffer.from("not a model"), "a\n1\n")).toMatchObject({
    problem: "The artifact is not an ONNX model.",
  });
  expect(await fitOf(Buffer.alloc(0), "a\n1\n")).toMatchObject({ fits: false });
  const picture = modelOf([{ name: "picture", type: "float", shape: ["N", 3, 8, 8] }]);
  expect(await fitOf(picture, "a\n1\n")).toMatchObject({ problem: expect.stringContaining("no row of values") });
  const busy = Buffer.concat([WIDE, Buffer.alloc(4_100_000, Buffer.from([0x08, 0x01]))]);
  expect(await fitOf(busy, "a,b\n1,2\n")).toMatchObject({ problem: "The artifact is not an ONNX model." });
});

test("inputs are read as the model has them, without its weights", () => {
  expect(readModelInputs(NAMED)).toEqual({
    ok: true,
    value: [
      { name: "age", values: "real", shape: [null, 1] },
      { name: "visits", values: "integer", shape: [null, 1] },
    ],
  });
});

test("any bytes of a model have an answer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: NAMED.length }), (noise, at) => {
      for (const bytes of [noise, Buffer.concat([NAMED.subarray(0, at), noise])])
        expect(typeof readModelInputs(bytes).ok).toBe("boolean");
    }),
  );
});
