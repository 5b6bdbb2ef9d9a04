import type { Parsed } from "../error.ts";
import { Malformed, WireReader } from "./wire-reader.ts";

/**
 * What an ONNX model takes, read from its file without running it. Source: `onnx.proto3`, the messages ModelProto,
 * GraphProto, ValueInfoProto, TypeProto and TensorShapeProto. Everything else of the file is skipped.
 */
export interface ModelInput {
  name: string;
  /** What its values are written as in a table; `other` for tensors of which a table holds none (complex, float16...). */
  values: "real" | "integer" | "bool" | "text" | "other";
  /** null stands for a dimension of any length; undefined when the model says nothing of its shape. */
  shape: (number | null)[] | undefined;
}

const VALUES: Readonly<Record<number, ModelInput["values"]>> = {
  ...{ 1: "real", 10: "real", 11: "real", 16: "real" },
  ...{
    2: "integer",
    3: "integer",
    4: "integer",
    5: "integer",
    6: "integer",
    7: "integer",
    12: "integer",
    13: "integer",
  },
  ...{ 8: "text", 9: "bool" },
};

/** The inputs that a request must bring, in the model's order. A weight that is listed as an input too is none. */
export function readModelInputs(onnx: Uint8Array): Parsed<ModelInput[]> {
  const inputs: ModelInput[] = [];
  const weights = new Set<string>();
  try {
    new WireReader(onnx).each({ 7: (graph) => readGraph(graph, inputs, weights) });
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { ok: false, problem: { path: "", message: "the artifact is not an ONNX model" } };
  }
  const wanted = inputs.filter(({ name }) => !weights.has(name));
  if (wanted.length > 0) return { ok: true, value: wanted };
  return { ok: false, problem: { path: "", message: "the artifact is not an ONNX model that takes an input" } };
}

function readGraph(graph: WireReader, inputs: ModelInput[], weights: Set<string>): void {
  graph.each({
    5: (tensor) => tensor.each({ 8: (name) => void weights.add(name.text()) }),
    11: (value) => void inputs.push(readValueInfo(value)),
  });
}

function readValueInfo(value: WireReader): ModelInput {
  const input: ModelInput = { name: "", values: "other", shape: undefined };
  value.each({
    1: (name) => {
      input.name = name.text();
    },
    2: (type) => type.each({ 1: (tensor) => readTensorType(tensor, input) }),
  });
  return input;
}

function readTensorType(tensor: WireReader, input: ModelInput): void {
  const numbers = tensor.each({ 2: (shape) => readShape(shape, input) });
  input.values = VALUES[Number(numbers.get(1) ?? 0n)] ?? "other";
}

function readShape(shape: WireReader, input: ModelInput): void {
  const sizes: (number | null)[] = [];
  shape.each({
    1: (dimension) => {
      const size = dimension.each({}).get(1);
      // A negative size is how some exporters write a dimension of any length.
      sizes.push(size === undefined || size > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(size));
    },
  });
  input.shape = sizes;
}
