import { InvalidInput } from "./invalid-input.ts";
import { allocate, checkShape, type FlatTensor, flattenNested, nestedShape, writeValue } from "./nested-values.ts";
import { describeTensor, OPEN_INFERENCE_TYPE, type TensorSpec } from "./tensor-type.ts";

/** A request's tensors by input name, and what the answer must look like. */
export interface ReadRequest {
  tensors: Map<string, FlatTensor>;
  shape: "predictions" | "outputs" | "open-inference";
  id?: string;
  /** The outputs that were asked for; absent for all. */
  outputs?: string[];
}

/**
 * SageMaker's and TensorFlow Serving's JSON: `{"instances": [row, ...]}` with a row per prediction (an array for a
 * model with one input, or an object by input name), `{"inputs": ...}` with a column per input, or a bare array.
 * One row without the outer array is taken as a batch of one.
 */
export function readJson(text: string, inputs: readonly TensorSpec[]): ReadRequest {
  const body = parse(text);
  if (Array.isArray(body)) return { tensors: readInstances(body, inputs), shape: "predictions" };
  if (!isRecord(body)) throw new InvalidInput(`the body must be an array or an object. ${expected(inputs)}`);
  if (Array.isArray(body["instances"]))
    return { tensors: readInstances(body["instances"], inputs), shape: "predictions" };
  if (body["inputs"] !== undefined) return { tensors: readColumns(body["inputs"], inputs), shape: "outputs" };
  throw new InvalidInput(`the body must hold "instances" (an array of rows) or "inputs". ${expected(inputs)}`);
}

function readInstances(instances: unknown[], inputs: readonly TensorSpec[]): Map<string, FlatTensor> {
  if (instances.length === 0) throw new InvalidInput(`there is no row. ${expected(inputs)}`);
  const only = inputs.length === 1 ? inputs[0] : undefined;
  if (!isRecord(instances[0])) {
    if (only === undefined)
      throw new InvalidInput(`every instance must be an object by input name. ${expected(inputs)}`);
    return new Map([[only.name, flattenNested(batched(instances, only), only)]]);
  }
  const tensors = new Map<string, FlatTensor>();
  for (const input of inputs) {
    const column = instances.map((row, at) => {
      if (!isRecord(row) || row[input.name] === undefined)
        throw new InvalidInput(`instance ${at} (counted from 0) has no "${input.name}". ${expected(inputs)}`);
      return row[input.name];
    });
    tensors.set(input.name, flattenNested(withTrailingOnes(column, input), input));
  }
  return tensors;
}

function readColumns(columns: unknown, inputs: readonly TensorSpec[]): Map<string, FlatTensor> {
  const only = inputs.length === 1 ? inputs[0] : undefined;
  if (Array.isArray(columns)) {
    if (only === undefined) throw new InvalidInput(`"inputs" must be an object by input name. ${expected(inputs)}`);
    return new Map([[only.name, flattenNested(batched(columns, only), only)]]);
  }
  if (!isRecord(columns)) throw new InvalidInput(`"inputs" must be an array or an object. ${expected(inputs)}`);
  const tensors = new Map<string, FlatTensor>();
  for (const input of inputs) {
    const value = columns[input.name];
    if (!Array.isArray(value)) throw new InvalidInput(`"inputs" has no array "${input.name}". ${expected(inputs)}`);
    tensors.set(input.name, flattenNested(value, input));
  }
  return tensors;
}

/** One row where a batch belongs becomes a batch of one. */
function batched(values: unknown[], input: TensorSpec): unknown[] {
  return nestedShape(values).length === input.shape.length - 1 ? [values] : values;
}

/** `{"age": 41}` for an input of shape [N, 1]: a scalar in a row is a column of one. */
function withTrailingOnes(column: unknown[], input: TensorSpec): unknown[] {
  return input.shape.length === 2 && !Array.isArray(column[0]) ? column.map((value) => [value]) : column;
}

/** Text/csv without a header: one row per line, for a model with one input of shape [N] or [N, M]. */
export function readCsv(text: string, inputs: readonly TensorSpec[]): ReadRequest {
  const input = inputs.length === 1 ? inputs[0] : undefined;
  if (input === undefined || input.shape.length > 2 || input.shape.length === 0)
    throw new InvalidInput(`text/csv needs a model with one input of one or two dimensions. ${expected(inputs)}`);
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  while (lines.length > 0 && lines[lines.length - 1] === "") lines.pop();
  if (lines.length === 0) throw new InvalidInput(`there is no row. ${expected(inputs)}`);
  const width = (lines[0] ?? "").split(",").length;
  const dims = input.shape.length === 1 ? [lines.length] : [lines.length, width];
  checkShape(dims, input);
  const cellsOf = (line: string, row: number): string[] => {
    const cells = line.split(",");
    if (cells.length === width && (input.shape.length > 1 || width === 1)) return cells;
    throw new InvalidInput(`${describeTensor(input)}; row ${row} (counted from 0) has ${cells.length} values`);
  };
  // Fewer characters than values: some row is short, and no room is made for a first row's empty promise.
  if (lines.length * width > text.length + 1) lines.forEach(cellsOf);
  const data = allocate(input.type, lines.length * width);
  let at = 0;
  for (const [row, line] of lines.entries()) {
    const cells = cellsOf(line, row);
    for (const cell of cells) {
      writeValue({ value: cellValue(cell, input), at, data, spec: input });
      at += 1;
    }
  }
  return { tensors: new Map([[input.name, { type: input.type, data, dims }]]), shape: "predictions" };
}

function cellValue(cell: string, input: TensorSpec): unknown {
  const text = cell.trim();
  if (input.type === "string") return text;
  // An empty cell must not become 0, which is what Number("") answers.
  return text === "" ? Number.NaN : Number(text);
}

/** The Open Inference Protocol v2: named tensors with a datatype, a shape, and flat or nested data. */
export function readOpenInference(text: string, inputs: readonly TensorSpec[]): ReadRequest {
  const body = parse(text);
  if (!isRecord(body) || !Array.isArray(body["inputs"]))
    throw new InvalidInput(`the body must be an object with an array "inputs". ${expected(inputs)}`);
  const tensors = new Map<string, FlatTensor>();
  for (const given of body["inputs"]) {
    const spec = inputs.find((input) => isRecord(given) && input.name === given["name"]);
    if (spec === undefined || !isRecord(given))
      throw new InvalidInput(`every entry of "inputs" must name an input of the model. ${expected(inputs)}`);
    tensors.set(spec.name, readOpenTensor(given, spec));
  }
  for (const input of inputs)
    if (!tensors.has(input.name)) throw new InvalidInput(`${describeTensor(input)}; it is missing`);
  const request: ReadRequest = { tensors, shape: "open-inference" };
  if (typeof body["id"] === "string") request.id = body["id"];
  const outputs = body["outputs"];
  if (Array.isArray(outputs) && outputs.length > 0)
    request.outputs = outputs.map((output) => {
      if (!isRecord(output) || typeof output["name"] !== "string")
        throw new InvalidInput('every entry of "outputs" needs a "name"');
      return output["name"];
    });
  return request;
}

function readOpenTensor(given: Record<string, unknown>, spec: TensorSpec): FlatTensor {
  const wanted = OPEN_INFERENCE_TYPE[spec.type];
  if (given["datatype"] !== wanted) throw new InvalidInput(`${describeTensor(spec)}; its datatype must be "${wanted}"`);
  const shape = given["shape"];
  const dims = Array.isArray(shape) ? shape.filter((size): size is number => Number.isInteger(size)) : [];
  checkShape(dims, spec);
  const values = Array.isArray(given["data"]) ? given["data"].flat(15) : [];
  const length = dims.reduce((product, size) => product * size, 1);
  if (values.length !== length)
    throw new InvalidInput(`${describeTensor(spec)}; "data" has ${values.length} values, its "shape" says ${length}`);
  const data = allocate(spec.type, length);
  for (const [at, value] of values.entries()) writeValue({ value, at, data, spec });
  return { type: spec.type, data, dims };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidInput("the body is not valid JSON");
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function expected(inputs: readonly TensorSpec[]): string {
  return `${inputs.map(describeTensor).join("; ")}.`;
}
