import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { type OnnxModel, onnxModel } from "./model.ts";

const line: OnnxModel = {
  name: "line",
  inputs: [{ name: "x", type: "float", shape: ["N", 2] }],
  outputs: [{ name: "y", type: "float", shape: ["N", 1] }],
  nodes: [
    {
      operator: "Gemm",
      inputs: ["x", "weights", "offset"],
      outputs: ["y"],
      attributes: { alpha: { kind: "float", value: 0.5 }, transB: { kind: "int", value: 1 } },
    },
  ],
  initializers: [
    { name: "weights", type: "float", shape: [1, 2], values: [2, -4] },
    { name: "offset", type: "float", shape: [1], values: [10] },
  ],
  opset: { standard: 17 },
};

async function run(bytes: Uint8Array, feeds: Record<string, Tensor>) {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  try {
    return { session, output: await session.run(feeds) };
  } finally {
    await session.release();
  }
}

describe("onnxModel", () => {
  it("writes a file that ONNX Runtime computes with", async () => {
    const { output } = await run(onnxModel(line), { x: new Tensor("float32", [1, 1, 3, 0.5], [2, 2]) });
    expect(Array.from(output["y"]?.data as Float32Array)).toEqual([9, 12]);
    expect(output["y"]?.dims).toEqual([2, 1]);
  });

  it("declares names, types, and fixed and symbolic dimensions", async () => {
    const session = await InferenceSession.create(onnxModel(line));
    expect(session.inputMetadata).toEqual([{ name: "x", isTensor: true, type: "float32", shape: ["N", 2] }]);
    expect(session.outputMetadata).toEqual([{ name: "y", isTensor: true, type: "float32", shape: ["N", 1] }]);
    await session.release();
  });

  it("writes classical operators with lists of integers, floats and strings", async () => {
    const bytes = onnxModel({
      name: "stump",
      inputs: [{ name: "x", type: "float", shape: ["N", 1] }],
      outputs: [{ name: "y", type: "float", shape: ["N", 1] }],
      nodes: [
        {
          operator: "TreeEnsembleRegressor",
          domain: "ai.onnx.ml",
          inputs: ["x"],
          outputs: ["y"],
          attributes: {
            n_targets: { kind: "int", value: 1 },
            post_transform: { kind: "string", value: "NONE" },
            nodes_treeids: { kind: "ints", value: [0, 0, 0] },
            nodes_nodeids: { kind: "ints", value: [0, 1, 2] },
            nodes_modes: { kind: "strings", value: ["BRANCH_LEQ", "LEAF", "LEAF"] },
            nodes_featureids: { kind: "ints", value: [0, 0, 0] },
            nodes_values: { kind: "floats", value: [0.5, 0, 0] },
            nodes_truenodeids: { kind: "ints", value: [1, 0, 0] },
            nodes_falsenodeids: { kind: "ints", value: [2, 0, 0] },
            target_treeids: { kind: "ints", value: [0, 0] },
            target_nodeids: { kind: "ints", value: [1, 2] },
            target_ids: { kind: "ints", value: [0, 0] },
            target_weights: { kind: "floats", value: [-1, 7] },
          },
        },
      ],
      initializers: [],
      opset: { standard: 17, classical: 3 },
    });
    const { output } = await run(bytes, { x: new Tensor("float32", [0.5, 0.75], [2, 1]) });
    expect(Array.from(output["y"]?.data as Float32Array)).toEqual([-1, 7]);
  });

  it("gives the same bytes for the same model", () => {
    expect(Buffer.from(onnxModel(line)).equals(onnxModel({ ...line }))).toBe(true);
  });

  it("refuses a constant whose values do not fill its shape", () => {
    const initializers = [{ name: "weights", type: "float", shape: [2, 2], values: [1, 2, 3] }] as const;
    expect(() => onnxModel({ ...line, initializers })).toThrow("initializer weights holds 3 values, not 4");
  });
});
