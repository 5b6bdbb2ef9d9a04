import fc from "fast-check";
import { InvalidInput } from "../../../src/serving/replica/invalid-input.ts";
import { type ReadRequest, readCsv, readJson, readOpenInference } from "../../../src/serving/replica/read-request.ts";
import type { TensorSpec } from "../../../src/serving/replica/tensor-type.ts";
import { edited } from "../edits.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { grown, mostly, mutated } from "../mutations.ts";
import { checkLine, holds } from "../violation.ts";

const MODELS: readonly (readonly TensorSpec[])[] = [
  [{ name: "features", type: "float32", shape: ["N", 3] }],
  [{ name: "x", type: "float32", shape: ["N", "M"] }],
  [{ name: "x", type: "float64", shape: ["N", "H", "W", "C"] }],
  [
    { name: "age", type: "int64", shape: ["N", 1] },
    { name: "city", type: "string", shape: ["N", 1] },
  ],
  [{ name: "flag", type: "bool", shape: ["N"] }],
  [{ name: "word", type: "string", shape: ["N", "M"] }],
];
const READERS = { json: readJson, csv: readCsv, openInference: readOpenInference };
const BODIES = [
  ...[
    { instances: [[1, 2, 3]] },
    { inputs: [[1, 2, 3]] },
    [[1, 2, 3]],
    [1, 2, 3],
    { inputs: { age: [[1]], city: [["a"]] } },
  ],
  ...[{ instances: [{ age: 41, city: "Oslo" }] }, { instances: [[[[1]]]] }, { inputs: [true, false] }],
  {
    id: "1",
    inputs: [{ name: "features", datatype: "FP32", shape: [1, 3], data: [1, 2, 3] }],
    outputs: [{ name: "score" }],
  },
  {
    inputs: [
      {
        name: "x",
        datatype: "FP32",
        shape: [2, 2],
        data: [
          [1, 2],
          [3, 4],
        ],
      },
    ],
  },
];
const CSV = ["1,2,3\n", "1,2,3\n4,5,6\r\n", "a,b\n", "true\n0\n"];
/** Above what a tensor of the body's own values may take: a value is two characters at least and eight bytes at most. */
const TENSOR_BYTES_PER_BYTE = 16;
const TENSOR_BYTES_FREE = 1024 * 1024;

/** A first row that promises more than the others keep: the shape is known before the values are. */
const LOPSIDED = fc
  .record({ width: fc.nat(8000), rows: fc.nat(8000), kind: fc.constantFrom("rows", "nested", "csv") })
  .map(({ width, rows, kind }): Uint8Array => {
    const first = Array.from({ length: width + 1 }, () => 1);
    if (kind === "csv") return Buffer.from(`${first.join(",")}${"\n1".repeat(rows)}\n`);
    const row = kind === "nested" ? first.map(() => (kind === "nested" ? [[]] : 1)) : first;
    return Buffer.from(`[${JSON.stringify(row)}${",[]".repeat(rows)}]`);
  });

/** Bodies of every protocol: nearly right ones, large ones, and some that promise more than they hold. */
export function bodyArbitrary(bytesMax: number): fc.Arbitrary<Uint8Array> {
  const json = edited(BODIES, [
    [],
    [[1, 2, 3]],
    [[]],
    1,
    [1e6, 1e6],
    [2 ** 31, 2 ** 31],
    [0],
    [-1, -3],
    "FP32",
    "features",
  ]);
  const bytes = mostly(
    fc.oneof(
      mutated(
        [...BODIES.map((body) => JSON.stringify(body)), ...CSV],
        ["1e39", "4e38", ",,,,", "\r", "[[[[", "NaN", "Infinity", "1e5"],
      ),
      json.map((value): Uint8Array => Buffer.from(JSON.stringify(value) ?? "")),
    ),
    grown(
      [
        "[",
        "[[",
        "1,",
        "\n",
        ",",
        "[1],",
        "[],",
        '{"a":',
        '"',
        '{"instances":[',
        '{"inputs":[',
        "1\n",
        "a,\n",
        '{"inputs":[[',
        "[1,2,3],",
      ],
      bytesMax,
    ),
    1500,
  );
  return fc.oneof({ weight: 300, arbitrary: bytes }, { weight: 1, arbitrary: LOPSIDED });
}

/** What a replica reads, without the replica. */
export const requestBodies: FuzzTarget = {
  name: "request-bodies",
  share: 150,
  open: async () => {
    return openTarget({
      inputs: fc.record({
        bytes: bodyArbitrary(1_000_000),
        model: fc.nat(MODELS.length - 1),
        reader: fc.constantFrom<keyof typeof READERS>("json", "json", "csv", "openInference"),
      }),
      bytesOf: (input) => input.bytes.length,
      // Room made for a lopsided body shows as time: filling it with zeros takes long.
      floorMs: 40,
      feed(input) {
        let request: ReadRequest;
        try {
          request = READERS[input.reader](Buffer.from(input.bytes).toString("utf8"), MODELS[input.model] ?? []);
        } catch (error) {
          if (!(error instanceof InvalidInput)) throw error;
          checkLine(error.message.replaceAll(/"[^"]*"/g, ""));
          return "bad-input";
        }
        let held = 0;
        for (const { data, dims } of request.tensors.values()) {
          holds(data.length === dims.reduce((a, b) => a * b, 1), "a tensor's values are not as many as its shape says");
          held += data.length * 8;
        }
        const allowed = input.bytes.length * TENSOR_BYTES_PER_BYTE + TENSOR_BYTES_FREE;
        holds(held <= allowed, "a small body makes a large tensor");
        return "taken";
      },
    });
  },
};
