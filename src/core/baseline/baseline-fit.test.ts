import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { onnxModel } from "../../quickstart/onnx/model.ts";
import { BASELINE_BYTES_MAX, baselineFit } from "./baseline-fit.ts";
import { readModelInputs } from "./model-inputs.ts";
import { readColumns } from "./table-columns.ts";

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
const fitOf = (model: Uint8Array, csv: string, monitor: object = MONITOR) =>
  baselineFit({ model, baseline: Buffer.from(csv), monitor: monitor as typeof MONITOR });

describe("a baseline of a model with one wide input", () => {
  test.each([
    ["its columns and the label", "a,b,churned\n1,2,0\n3.5,-4e2,1\n"],
    ["the facet besides", "gender,a,b,churned\nf,1,2,0\n"],
    ["no label", "a,b\n1,2\n"],
    ["line ends of another system, a mark, quotes and an empty cell", '\ufeff"a","b"\r\n"1",\r\n2,3\r\n\r\n'],
    ["the facet as one of them", "a,gender,churned\n1,0,1\n"],
  ])("fits with %s", (_what, csv) => expect(fitOf(WIDE, csv)).toEqual({ fits: true }));

  test.each([
    ["a column too few", "a,churned\n1,0\n", "takes 2 values in a row, and the baseline has 1"],
    ["a column too many", "a,b,c,churned\n1,2,3,0\n", "baseline has 3"],
    ["words", "a,b\n1,secret\n", 'column "b" holds something else'],
    ["a number that is none", "a,b\n1,NaN\n", 'column "b"'],
    ["a row cut short", "a,b\n1\n", "ow 1 of the baseline has 1 values"],
    ["a quote that does not end", 'a,b\n1,"2\n', "does not end"],
    ["no row", "a,b\n", "no row"],
    ["nothing", "", "no header"],
    ["two columns of one name", "a,a\n1,2\n", "same name"],
    ["a column without a name", "a,\n1,2\n", "olumn 2 of the baseline has no name"],
  ])("does not fit with %s", (_what, csv, words) => {
    const answer = fitOf(WIDE, csv);
    expect(answer).toMatchObject({ fits: false, problem: expect.stringContaining(words) });
    expect(JSON.stringify(answer)).not.toContain("secret");
  });
});

describe("a baseline of a model whose inputs have names", () => {
  test.each([
    ["in any order", "visits,age,churned\n3,41.5,0\n"],
    ["with the facet, which the model is not told", "age,gender,visits\n41,f,3\n"],
  ])("fits by name %s", (_what, csv) => expect(fitOf(NAMED, csv)).toEqual({ fits: true }));

  test.each([
    ["one is missing", "age,churned\n41,0\n", 'no column for the model\'s input "visits"'],
    ["one is too many", "age,visits,shoe\n41,3,44\n", 'column "shoe" is no input'],
    ["one is of another type", "age,visits\n41,3.5\n", "whole numbers"],
    ["a whole number is missing", "age,visits\n41,\n", "whole numbers"],
    ["the names differ by case", "Age,visits\n41,3\n", 'input "age"'],
  ])("does not fit when %s", (_what, csv, words) =>
    expect(fitOf(NAMED, csv)).toMatchObject({ fits: false, problem: expect.stringContaining(words) }),
  );
});

test("what is no model, or a model that takes a picture, fits no table", () => {
  expect(fitOf(Buffer.from("not a model"), "a\n1\n")).toMatchObject({ problem: "The artifact is not an ONNX model." });
  expect(fitOf(Buffer.alloc(0), "a\n1\n")).toMatchObject({ fits: false });
  const picture = modelOf([{ name: "picture", type: "float", shape: ["N", 3, 8, 8] }]);
  expect(fitOf(picture, "a\n1\n")).toMatchObject({ problem: expect.stringContaining("no row of values") });
});

test("a table or a model that would keep a worker busy is refused unread", () => {
  const large = Buffer.alloc(BASELINE_BYTES_MAX + 1, "1,2\n");
  expect(baselineFit({ model: WIDE, baseline: large, monitor: MONITOR })).toMatchObject({
    problem: expect.stringContaining("at most"),
  });
  for (const csv of [`a\n${"1\n".repeat(1_000_001)}`, `a,b,c,d,e,f\n${",,,,,\n".repeat(840_000)}`]) {
    expect(readColumns(Buffer.from(csv))).toMatchObject({ problem: { message: expect.stringContaining("a sample") } });
  }
  const busy = Buffer.concat([WIDE, Buffer.alloc(4_100_000, Buffer.from([0x08, 0x01]))]);
  expect(fitOf(busy, "a,b\n1,2\n")).toMatchObject({ problem: "The artifact is not an ONNX model." });
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

test("any bytes have an answer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: NAMED.length }), (noise, at) => {
      for (const bytes of [noise, Buffer.concat([NAMED.subarray(0, at), noise])]) {
        expect(typeof readModelInputs(bytes).ok).toBe("boolean");
        expect(typeof readColumns(bytes).ok).toBe("boolean");
      }
    }),
  );
});

test("cells come back as a writer of CSV meant them", () => {
  const cell = fc.string({ maxLength: 8 }).filter((text) => !/\p{C}/u.test(text));
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }), (rows) => {
      const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
      const csv = `a,b\n${rows.map((row) => row.map(quote).join(",")).join("\n")}\n`;
      const read = readColumns(Buffer.from(csv));
      expect(read).toMatchObject({ ok: true, value: { rows: rows.length } });
      const empty = rows.some(([first]) => first.trim() === "");
      if (read.ok) expect(read.value.columns[0]?.hasEmpty).toBe(empty);
    }),
  );
});
