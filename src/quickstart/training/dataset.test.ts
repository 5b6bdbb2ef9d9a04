import { describe, expect, it } from "vitest";
import { meanRow, parseDataset, splitDataset } from "./dataset.ts";

const table = (rows: number) =>
  ["a,b,good", ...Array.from({ length: rows }, (_, row) => `${row},${row / 10},${row % 4 === 0 ? 1 : 0}`)].join("\n");

function parsed(text: string) {
  const result = parseDataset(text);
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
}

describe("parseDataset", () => {
  it("reads names, 32-bit rows and labels, with either line ending", () => {
    const data = parsed("a,b,good\r\n1,0.1,0\r\n-2,3e2,1\r\n");
    expect(data.featureNames).toEqual(["a", "b"]);
    expect(data.labelName).toBe("good");
    expect(data.rows.map((row) => Array.from(row))).toEqual([
      [1, Math.fround(0.1)],
      [-2, 300],
    ]);
    expect(data.labels).toEqual([0, 1]);
  });

  it.each([
    ["", "CSV line 1: expected a header of at least two column names"],
    ["a,,good\n1,2,0", "CSV line 1: expected a header of at least two column names"],
    ["a,a,good\n1,2,0", "CSV line 1: column names repeat; expected each once"],
    ["a,b,good\n", "CSV line 2: expected at least one row below the header"],
    ["a,b,good\n1,2,0\n1,0", "CSV line 3: found 2 columns; expected 3, as in the header"],
    ["a,b,good\n1,,0", "CSV line 2: column b is no finite number; expected one"],
    ["a,b,good\n1,x,0", "CSV line 2: column b is no finite number; expected one"],
    ["a,b,good\nInfinity,1,0", "CSV line 2: column a is no finite number; expected one"],
    ["a,b,good\n1,2,2", "CSV line 2: column good is neither 0 nor 1"],
  ])("refuses %j", (text, message) => {
    expect(parseDataset(text)).toEqual({ ok: false, problem: { path: "", message } });
  });
});

describe("splitDataset", () => {
  const data = parsed(table(100));
  const ids = (part: { rows: readonly Float32Array[] }) => part.rows.map((row) => row[0] ?? -1);

  it("puts every row into exactly one part and keeps the mix of classes", () => {
    const { train, holdout } = splitDataset(data, { seed: 5, holdoutShare: 0.2 });
    expect([...ids(train), ...ids(holdout)].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, id) => id));
    expect(holdout.labels.filter((label) => label === 1)).toHaveLength(5);
    expect(holdout.labels.filter((label) => label === 0)).toHaveLength(15);
  });

  it("keeps each label with its row", () => {
    const { train } = splitDataset(data, { seed: 5, holdoutShare: 0.2 });
    expect(train.labels).toEqual(ids(train).map((id) => (id % 4 === 0 ? 1 : 0)));
  });

  it("follows from the seed alone", () => {
    const once = ids(splitDataset(data, { seed: 5, holdoutShare: 0.2 }).holdout);
    expect(ids(splitDataset(data, { seed: 5, holdoutShare: 0.2 }).holdout)).toEqual(once);
    expect(ids(splitDataset(data, { seed: 6, holdoutShare: 0.2 }).holdout)).not.toEqual(once);
  });
});

describe("meanRow", () => {
  it("takes the mean of every column", () => {
    expect(Array.from(meanRow([Float32Array.of(1, 10), Float32Array.of(2, 30)]))).toEqual([1.5, 20]);
  });
});
