import { assert } from "../../core/error.ts";
import {
  bytesField,
  float32Bytes,
  floatField,
  int64Bytes,
  integerField,
  message,
  packedFloatsField,
  packedIntegersField,
  stringField,
} from "./protobuf.ts";

/** `float` is a 32-bit float, `int64` a 64-bit integer. */
export type ElementType = "float" | "int64";

/** A graph's input or output. A dimension that is a string is symbolic: its size is known at run time only. */
export interface ValueInfo {
  name: string;
  type: ElementType;
  shape: readonly (number | string)[];
}

/** A constant of the graph: `values` in row-major order, as many as `shape` multiplies to. */
export interface Initializer {
  name: string;
  type: ElementType;
  shape: readonly number[];
  values: readonly number[];
}

/** The kind is spelt out because `1` alone does not say whether an operator wants an integer or a float. */
export type Attribute =
  | { kind: "int"; value: number }
  | { kind: "float"; value: number }
  | { kind: "string"; value: string }
  | { kind: "ints"; value: readonly number[] }
  | { kind: "floats"; value: readonly number[] }
  | { kind: "strings"; value: readonly string[] };

/** One operator. `domain` is empty for the standard operators and `ai.onnx.ml` for classical machine learning. */
export interface GraphNode {
  operator: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes?: Readonly<Record<string, Attribute>>;
  domain?: "ai.onnx.ml";
}

export interface OnnxModel {
  name: string;
  inputs: readonly ValueInfo[];
  outputs: readonly ValueInfo[];
  /** In an order in which every node comes after those that it reads from. */
  nodes: readonly GraphNode[];
  initializers: readonly Initializer[];
  /** Versions of the operator sets that the nodes are written against. */
  opset: { standard: number; classical?: number };
  /** Facts for people and tools, stored in the file and read by nobody at run time. */
  metadata?: Readonly<Record<string, string>>;
}

/** The format's version that goes with operator set 17, so that runtimes two years old still read the file. */
const IR_VERSION = 8;

const ELEMENT_CODES: Readonly<Record<ElementType, number>> = { float: 1, int64: 7 };

/**
 * The bytes of an ONNX file. The same model always gives the same bytes: nothing in them tells the time or the machine.
 * Field numbers are those of `onnx.proto3` in the ONNX specification.
 */
export function onnxModel(model: OnnxModel): Uint8Array {
  const operatorSets = [operatorSet("", model.opset.standard)];
  if (model.opset.classical !== undefined) operatorSets.push(operatorSet("ai.onnx.ml", model.opset.classical));
  const metadata = Object.entries(model.metadata ?? {}).map(([key, value]) =>
    bytesField(14, message(stringField(1, key), stringField(2, value))),
  );
  return message(
    integerField(1, IR_VERSION),
    stringField(2, "continuum"),
    bytesField(7, graph(model)),
    ...operatorSets.map((entry) => bytesField(8, entry)),
    ...metadata,
  );
}

function graph(model: OnnxModel): Uint8Array {
  return message(
    ...model.nodes.map((node, index) => bytesField(1, encodedNode(node, `${node.operator}_${index}`))),
    stringField(2, model.name),
    ...model.initializers.map((entry) => bytesField(5, tensor(entry))),
    ...model.inputs.map((entry) => bytesField(11, valueInfo(entry))),
    ...model.outputs.map((entry) => bytesField(12, valueInfo(entry))),
  );
}

function operatorSet(domain: string, version: number): Uint8Array {
  return message(stringField(1, domain), integerField(2, version));
}

function encodedNode(node: GraphNode, name: string): Uint8Array {
  const attributes = Object.entries(node.attributes ?? {});
  return message(
    ...node.inputs.map((input) => stringField(1, input)),
    ...node.outputs.map((output) => stringField(2, output)),
    stringField(3, name),
    stringField(4, node.operator),
    ...attributes.map(([key, value]) => bytesField(5, attribute(key, value))),
    stringField(7, node.domain ?? ""),
  );
}

function attribute(name: string, entry: Attribute): Uint8Array {
  const [typeCode, content] = attributeContent(entry);
  return message(stringField(1, name), content, integerField(20, typeCode));
}

function attributeContent(entry: Attribute): [typeCode: number, content: Uint8Array] {
  switch (entry.kind) {
    case "float":
      return [1, floatField(2, entry.value)];
    case "int":
      return [2, integerField(3, entry.value)];
    case "string":
      return [3, stringField(4, entry.value)];
    case "floats":
      return [6, packedFloatsField(7, entry.value)];
    case "ints":
      return [7, packedIntegersField(8, entry.value)];
    case "strings":
      return [8, message(...entry.value.map((text) => stringField(9, text)))];
  }
}

function tensor(entry: Initializer): Uint8Array {
  const size = entry.shape.reduce((product, dimension) => product * dimension, 1);
  assert(size === entry.values.length, `initializer ${entry.name} holds ${entry.values.length} values, not ${size}`);
  const bytes = entry.type === "float" ? float32Bytes(entry.values) : int64Bytes(entry.values);
  return message(
    packedIntegersField(1, entry.shape),
    integerField(2, ELEMENT_CODES[entry.type]),
    stringField(8, entry.name),
    bytesField(9, bytes),
  );
}

function valueInfo(entry: ValueInfo): Uint8Array {
  const dimensions = entry.shape.map((size) =>
    bytesField(1, typeof size === "string" ? stringField(2, size) : integerField(1, size)),
  );
  const tensorType = message(integerField(1, ELEMENT_CODES[entry.type]), bytesField(2, message(...dimensions)));
  return message(stringField(1, entry.name), bytesField(2, bytesField(1, tensorType)));
}
