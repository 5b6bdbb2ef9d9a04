import { InvalidInput } from "./invalid-input.ts";
import type { ReadRequest } from "./read-request.ts";
import { OPEN_INFERENCE_TYPE, type TensorType } from "./tensor-type.ts";

/** One output tensor of a run. */
export interface OutputTensor {
  name: string;
  type: TensorType;
  dims: readonly number[];
  data: ArrayLike<number> | ArrayLike<bigint> | ArrayLike<string>;
}

/** The model's fault: it answered with something that is no prediction. */
export class InvalidOutput extends Error {
  override readonly name = "InvalidOutput";
}

export function writeJson(
  request: ReadRequest,
  outputs: readonly OutputTensor[],
  model: { name: string; version: string },
): string {
  if (request.shape === "open-inference") return writeOpenInference(request, outputs, model);
  if (request.shape === "outputs") {
    const columns = outputs.map((output) => [output.name, nested(output)] as const);
    const only = columns.length === 1 ? columns[0] : undefined;
    return JSON.stringify({ outputs: only === undefined ? Object.fromEntries(columns) : only[1] });
  }
  return JSON.stringify({ predictions: predictions(outputs) });
}

/** A row per line, the outputs beside each other in the model's order. */
export function writeCsv(outputs: readonly OutputTensor[]): string {
  const rows = rowCount(outputs);
  const lines: string[] = [];
  for (let row = 0; row < rows; row += 1) {
    const cells: string[] = [];
    for (const output of outputs) {
      const width = output.data.length / rows;
      for (let at = row * width; at < (row + 1) * width; at += 1) cells.push(csvCell(scalar(output, at)));
    }
    lines.push(cells.join(","));
  }
  return `${lines.join("\n")}\n`;
}

/** One entry a row: the value itself for a model with one output, else an object by output name. */
function predictions(outputs: readonly OutputTensor[]): unknown[] {
  const rows = rowCount(outputs);
  const only = outputs.length === 1 ? outputs[0] : undefined;
  const entries: unknown[] = [];
  for (let row = 0; row < rows; row += 1) {
    if (only !== undefined) {
      entries.push(rowValue(only, row, rows));
      continue;
    }
    const entry: Record<string, unknown> = {};
    for (const output of outputs) entry[output.name] = rowValue(output, row, rows);
    entries.push(entry);
  }
  return entries;
}

function rowCount(outputs: readonly OutputTensor[]): number {
  const rows = outputs[0]?.dims[0] ?? 1;
  if (outputs.some((output) => (output.dims[0] ?? 1) !== rows))
    throw new InvalidInput('this model\'s outputs have no row per prediction: ask with "inputs" or the /v2 protocol');
  return rows;
}

/** A row of one value is that value; a longer one keeps its shape. */
function rowValue(output: OutputTensor, row: number, rows: number): unknown {
  const width = rows === 0 ? 0 : output.data.length / rows;
  if (width === 1) return scalar(output, row);
  return nestedFrom(output, 1, row * width).value;
}

function nested(output: OutputTensor): unknown {
  return nestedFrom(output, 0, 0).value;
}

function nestedFrom(output: OutputTensor, depth: number, at: number): { value: unknown; next: number } {
  if (depth >= output.dims.length) return { value: scalar(output, at), next: at + 1 };
  const size = output.dims[depth] ?? 0;
  const values: unknown[] = [];
  let next = at;
  for (let part = 0; part < size; part += 1) {
    const inner = nestedFrom(output, depth + 1, next);
    values.push(inner.value);
    next = inner.next;
  }
  return { value: values, next };
}

function scalar(output: OutputTensor, at: number): number | string | boolean {
  const value = output.data[at];
  if (typeof value === "bigint") {
    const number = Number(value);
    // JSON's readers round above 2^53, so a larger integer travels as text.
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value))
      throw new InvalidOutput(`output "${output.name}" holds a value that is no finite number`);
    return output.type === "bool" ? value !== 0 : value;
  }
  return value ?? "";
}

function csvCell(value: number | string | boolean): string {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function writeOpenInference(
  request: ReadRequest,
  outputs: readonly OutputTensor[],
  model: { name: string; version: string },
): string {
  const tensors = outputs.map((output) => ({
    name: output.name,
    shape: output.dims,
    datatype: OPEN_INFERENCE_TYPE[output.type],
    data: Array.from({ length: output.data.length }, (_, at) => scalar(output, at)),
  }));
  const id = request.id === undefined ? {} : { id: request.id };
  return JSON.stringify({ model_name: model.name, model_version: model.version, ...id, outputs: tensors });
}
