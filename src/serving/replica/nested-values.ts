import { assert } from "../../core/error.ts";
import { InvalidInput } from "./invalid-input.ts";
import { describeTensor, type TensorSpec, type TensorType } from "./tensor-type.ts";

/** A tensor as ONNX Runtime takes it: its values in row-major order and its shape. */
export interface FlatTensor {
  type: TensorType;
  data: TensorData;
  dims: number[];
}

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | string[];

type NumberArray = Exclude<TensorData, BigInt64Array | BigUint64Array | string[]>;

const INTEGER_RANGE: Partial<Record<TensorType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

/** Nested arrays to one tensor; every row must be as long as the first, and the shape must be the input's. */
export function flattenNested(value: unknown, spec: TensorSpec): FlatTensor {
  const dims = nestedShape(value);
  checkShape(dims, spec);
  // Before room is made: a first row that promises more than the others keep could ask for all the memory there is.
  checkRegular(value, { dims, depth: 0, spec });
  const length = dims.reduce((product, size) => product * size, 1);
  const data = allocate(spec.type, length);
  fill({ value, dims, depth: 0, at: 0, data, spec });
  return { type: spec.type, data, dims };
}

/** The lengths of the first elements all the way down. */
export function nestedShape(value: unknown): number[] {
  const dims: number[] = [];
  let level = value;
  while (Array.isArray(level)) {
    dims.push(level.length);
    if (dims.length > 16) throw new InvalidInput("arrays are nested deeper than 16 levels");
    level = level[0];
  }
  return dims;
}

export function checkShape(dims: readonly number[], spec: TensorSpec): void {
  const fits =
    dims.length === spec.shape.length &&
    dims.every((size, at) => {
      const wanted = spec.shape[at];
      return size > 0 && (typeof wanted === "string" || wanted === size);
    });
  if (!fits) throw new InvalidInput(`${describeTensor(spec)}; got shape [${dims.join(", ")}]`);
}

/** That every array is as long as the first of its level; the values themselves are looked at when they are written. */
function checkRegular(value: unknown, at: { dims: readonly number[]; depth: number; spec: TensorSpec }): void {
  const { dims, depth, spec } = at;
  if (depth === dims.length) return;
  if (!Array.isArray(value) || value.length !== dims[depth])
    throw new InvalidInput(
      `${describeTensor(spec)}; one part has ${Array.isArray(value) ? `${value.length} values` : "no array"} where the first has ${dims[depth]}`,
    );
  if (depth === dims.length - 1) return;
  for (const part of value) checkRegular(part, { dims, depth: depth + 1, spec });
}

interface Fill {
  value: unknown;
  dims: readonly number[];
  depth: number;
  at: number;
  data: TensorData;
  spec: TensorSpec;
}

/** Writes one level of the nesting and answers where the next value goes. */
function fill({ value, dims, depth, at, data, spec }: Fill): number {
  if (depth === dims.length) {
    writeValue({ value, at, data, spec });
    return at + 1;
  }
  assert(Array.isArray(value), "only what was found regular is written");
  let next = at;
  if (depth === dims.length - 1) {
    for (const leaf of value) {
      writeValue({ value: leaf, at: next, data, spec });
      next += 1;
    }
    return next;
  }
  for (const part of value) next = fill({ value: part, dims, depth: depth + 1, at: next, data, spec });
  return next;
}

export function allocate(type: TensorType, length: number): TensorData {
  switch (type) {
    case "float32":
      return new Float32Array(length);
    case "float64":
      return new Float64Array(length);
    case "int8":
      return new Int8Array(length);
    case "uint8":
    case "bool":
      return new Uint8Array(length);
    case "int16":
      return new Int16Array(length);
    case "uint16":
      return new Uint16Array(length);
    case "int32":
      return new Int32Array(length);
    case "uint32":
      return new Uint32Array(length);
    case "int64":
      return new BigInt64Array(length);
    case "uint64":
      return new BigUint64Array(length);
    case "string":
      return new Array<string>(length).fill("");
  }
}

/** Writes one value, refusing what the type cannot hold: a silent conversion would be a wrong prediction. */
export function writeValue(write: { value: unknown; at: number; data: TensorData; spec: TensorSpec }): void {
  const { value, at, data, spec } = write;
  if (Array.isArray(data)) {
    if (typeof value !== "string") throw wrongValue(spec, at, "a text");
    data[at] = value;
    return;
  }
  const number = spec.type === "bool" && typeof value === "boolean" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) throw wrongValue(spec, at, "a number");
  const range = INTEGER_RANGE[spec.type];
  if (range !== undefined && (!Number.isInteger(number) || number < range[0] || number > range[1]))
    throw wrongValue(spec, at, `an integer from ${range[0]} to ${range[1]}`);
  if (spec.type === "bool" && number !== 0 && number !== 1) throw wrongValue(spec, at, "true, false, 1 or 0");
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    data[at] = BigInt(number);
    return;
  }
  writeNumber(data, at, number);
  if (spec.type === "float32" && !Number.isFinite(data[at])) throw wrongValue(spec, at, "a number that fits float32");
}

function writeNumber(data: NumberArray, at: number, value: number): void {
  data[at] = value;
}

function wrongValue(spec: TensorSpec, at: number, right: string): InvalidInput {
  return new InvalidInput(`${describeTensor(spec)}; value ${at} (counted from 0) must be ${right}`);
}
