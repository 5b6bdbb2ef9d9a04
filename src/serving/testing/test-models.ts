import { type OnnxModel, onnxModel } from "../../quickstart/onnx/model.ts";

/** Small real models for tests. All take `features`, float32 [N, 3]. */

const FEATURES = { name: "features", type: "float", shape: ["N", 3] } as const;

/** `score = bias + sum of the features`, shape [N, 1]. */
export function sumModel(options: { bias: number }): Uint8Array {
  return onnxModel({
    name: "sum",
    inputs: [FEATURES],
    outputs: [{ name: "score", type: "float", shape: ["N", 1] }],
    nodes: [
      { operator: "MatMul", inputs: ["features", "weights"], outputs: ["summed"] },
      { operator: "Add", inputs: ["summed", "bias"], outputs: ["score"] },
    ],
    initializers: [
      { name: "weights", type: "float", shape: [3, 1], values: [1, 1, 1] },
      { name: "bias", type: "float", shape: [1], values: [options.bias] },
    ],
    opset: { standard: 17 },
  });
}

/** Two outputs: `score` [N, 1] and `label` int64 [N, 1], which is the features' sum cut to an integer. */
export function labelModel(): Uint8Array {
  const model: OnnxModel = {
    name: "label",
    inputs: [FEATURES],
    outputs: [
      { name: "score", type: "float", shape: ["N", 1] },
      { name: "label", type: "int64", shape: ["N", 1] },
    ],
    nodes: [
      { operator: "MatMul", inputs: ["features", "weights"], outputs: ["score"] },
      { operator: "Cast", inputs: ["score"], outputs: ["label"], attributes: { to: { kind: "int", value: 7 } } },
    ],
    initializers: [{ name: "weights", type: "float", shape: [3, 1], values: [1, 1, 1] }],
    opset: { standard: 17 },
  };
  return onnxModel(model);
}

/**
 * Looks the features up in a table of four entries: loads, answers a warm-up, and fails inside ONNX Runtime on every
 * row with a feature of 4 or more.
 */
export function brokenModel(): Uint8Array {
  return onnxModel({
    name: "broken",
    inputs: [FEATURES],
    outputs: [{ name: "score", type: "float", shape: ["N", 3] }],
    nodes: [
      { operator: "Cast", inputs: ["features"], outputs: ["places"], attributes: { to: { kind: "int", value: 7 } } },
      { operator: "Gather", inputs: ["table", "places"], outputs: ["score"] },
    ],
    initializers: [{ name: "table", type: "float", shape: [4], values: [0, 1, 2, 3] }],
    opset: { standard: 17 },
  });
}

/** Multiplies its way through `layers` square matrices, so that one answer takes long on purpose. */
export function slowModel(options: { layers: number }): Uint8Array {
  const width = 512;
  const square = Array.from({ length: width * width }, (_, at) => ((at % 7) - 3) / width);
  const nodes: OnnxModel["nodes"] = [
    { operator: "MatMul", inputs: ["features", "first"], outputs: ["x0"] },
    ...Array.from({ length: options.layers }, (_, layer) => ({
      operator: "MatMul",
      inputs: [`x${layer}`, "square"],
      outputs: [`x${layer + 1}`],
    })),
    { operator: "ReduceSum", inputs: [`x${options.layers}`, "axes"], outputs: ["score"] },
  ];
  return onnxModel({
    name: "slow",
    inputs: [FEATURES],
    outputs: [{ name: "score", type: "float", shape: ["N", 1] }],
    nodes,
    initializers: [
      { name: "first", type: "float", shape: [3, width], values: Array.from({ length: 3 * width }, () => 0.01) },
      { name: "square", type: "float", shape: [width, width], values: square },
      { name: "axes", type: "int64", shape: [1], values: [1] },
    ],
    opset: { standard: 17 },
  });
}
