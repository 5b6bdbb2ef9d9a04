/** One input or output of a model, as the replica reports it and `GET /v2/models/{name}` shows it. */
export interface TensorSpec {
  name: string;
  type: TensorType;
  /** A text stands for a dimension of any length. */
  shape: (number | string)[];
}

/** The tensor types that can be read from JSON and CSV and written to them. */
export const TENSOR_TYPES = [
  "float32",
  "float64",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
  "string",
] as const;
export type TensorType = (typeof TENSOR_TYPES)[number];

/** The names of the Open Inference Protocol v2. */
export const OPEN_INFERENCE_TYPE: Readonly<Record<TensorType, string>> = {
  float32: "FP32",
  float64: "FP64",
  int8: "INT8",
  uint8: "UINT8",
  int16: "INT16",
  uint16: "UINT16",
  int32: "INT32",
  uint32: "UINT32",
  int64: "INT64",
  uint64: "UINT64",
  bool: "BOOL",
  string: "BYTES",
};

export function describeTensor(spec: TensorSpec): string {
  return `input "${spec.name}" takes ${spec.type} of shape [${spec.shape.join(", ")}]`;
}
