import { fieldsOf, jsonOf, tensorRows } from "./body-values.ts";
import type {
  CapturedBody,
  CapturedInference,
  Cell,
  InferenceRows,
  RowShape,
  UnreadReason,
} from "./captured-inference.ts";
import { csvRows } from "./csv-rows.ts";
import { readAnswers } from "./read-answers.ts";

/** The rows of a request, or why they are not known. */
type Rows = readonly (readonly Cell[])[] | UnreadReason;

/**
 * The rows that a request asked about, with the answer to each. The forms are those that our replicas take (CSV,
 * `instances`, `inputs` by column, a bare array, the Open Inference Protocol's tensors) and SageMaker's algorithms
 * besides (JSON lines, `features` within an instance). What fits none of them is not guessed at: there are no rows then,
 * and a reason.
 */
export function readRows({ continuum, input, output }: CapturedInference, shape: RowShape): InferenceRows {
  if (continuum !== null && continuum.status !== 200) return unread("failed");
  const rows = rowsOf(input, shape);
  if (typeof rows === "string") return unread(rows);
  const answers = readAnswers(output, rows.length, shape.answer);
  return typeof answers === "string"
    ? { rows, answers: null, unreadRows: null, unreadAnswers: answers }
    : { rows, answers, unreadRows: null, unreadAnswers: null };
}

function unread(reason: UnreadReason): InferenceRows {
  return { rows: [], answers: null, unreadRows: reason, unreadAnswers: reason };
}

function rowsOf(body: CapturedBody | null, shape: RowShape): Rows {
  if (body?.data == null) return "not-captured";
  const reader = new RowReader(shape, body.isPartial);
  if (body.encoding === "CSV") return reader.arrays(csvRows(body.data));
  const value = jsonOf(body.data);
  return value === undefined ? "unreadable" : reader.json(value);
}

/** Reads one body's rows into the shape's columns. */
class RowReader {
  readonly #shape: RowShape;
  readonly #known: KnownShape;
  /** What stands for a null: with values left out it is not known to be one of the caller's. */
  readonly #nothing: null | undefined;

  constructor(shape: RowShape, isPartial: boolean) {
    this.#shape = shape;
    this.#known = known(shape);
    this.#nothing = isPartial ? undefined : null;
  }

  json(value: unknown): Rows {
    if (Array.isArray(value)) return this.#instances(value);
    const body = fieldsOf(value);
    // Nothing is left of a body none of which may be kept.
    if (this.#nothing === undefined && Object.keys(body ?? {}).length === 0) return "not-captured";
    if (body === null) return "unknown-shape";
    const { instances, inputs } = body;
    if (Array.isArray(instances)) return this.#instances(instances);
    if (Array.isArray(inputs)) return isTensor(inputs[0]) ? this.#tensors(inputs) : this.#instances(inputs);
    const columns = fieldsOf(inputs);
    if (columns !== null) return this.#columns(new Map(Object.entries(columns)));
    // One row by itself, as SageMaker's JSON lines have it.
    return inputs === undefined ? this.#instances([body]) : "unknown-shape";
  }

  /** Rows without names, in the order of the model's inputs. */
  arrays(rows: readonly (readonly unknown[])[]): Rows {
    const width = rows[0]?.length;
    if (width === undefined) return "unknown-shape";
    const places = this.#placesOf(width);
    if (places === null || rows.some((row) => row.length !== width)) return "wrong-columns";
    return rows.map((row) => this.#cells(row, places));
  }

  #instances(rows: readonly unknown[]): Rows {
    const [first] = rows;
    if (Array.isArray(first)) return rows.every(Array.isArray) ? this.arrays(rows) : "unknown-shape";
    if (fieldsOf(first) !== null) return this.#objects(rows);
    if (rows.length === 0) return "unknown-shape";
    // Values alone are a column of one value each, or one row without the outer array.
    return this.#placesOf(1) === null ? this.arrays([rows]) : this.arrays(rows.map((value) => [value]));
  }

  #objects(rows: readonly unknown[]): Rows {
    const wrapped = rows.map((row) => this.#unwrapped(row));
    if (wrapped.every((row) => row !== null)) return this.arrays(wrapped);
    const read: Cell[][] = [];
    for (const row of rows) {
      const fields = fieldsOf(row);
      if (fields === null) return "unknown-shape";
      const known = this.#nothing === undefined || this.#shape.columns.some((name) => Object.hasOwn(fields, name));
      if (!known) return "wrong-columns";
      read.push(this.#shape.columns.map((name) => this.#named(fields, name)));
    }
    return read;
  }

  #named(fields: Readonly<Record<string, unknown>>, name: string): Cell {
    if (!Object.hasOwn(fields, name)) return this.#isOptional(name) ? undefined : this.#nothing;
    const value = fields[name];
    return this.#cell(Array.isArray(value) && value.length === 1 ? value[0] : value);
  }

  /** `{"features": [...]}`, and the same within further objects of one entry: the values are one row without names. */
  #unwrapped(row: unknown): readonly unknown[] | null {
    let inner = row;
    for (let depth = 0; depth < 4; depth += 1) {
      if (Array.isArray(inner)) return inner.some(Array.isArray) ? null : inner;
      const [entry, second] = Object.entries(fieldsOf(inner) ?? {});
      if (entry === undefined || second !== undefined || this.#known.names.has(entry[0])) return null;
      inner = entry[1];
    }
    return null;
  }

  /** By column: a value for each row, in an array of its own or not; or all columns in one under another name. */
  #columns(columns: ReadonlyMap<string, unknown>): Rows {
    const [only] = columns.values();
    if (columns.size === 1 && !this.#known.names.has([...columns.keys()][0] ?? ""))
      return Array.isArray(only) ? this.#instances(only) : "unknown-shape";
    const length = [...columns.values()].find(Array.isArray)?.length ?? 0;
    const rows = Array.from({ length }, (): Cell[] => []);
    if (length === 0) return "unknown-shape";
    for (const name of this.#shape.columns) {
      const values = columns.get(name);
      if (values !== undefined && (!Array.isArray(values) || values.length !== length)) return "wrong-columns";
      if (values === undefined && !this.#isOptional(name) && this.#nothing !== undefined) return "wrong-columns";
      for (const [at, row] of rows.entries()) {
        const value: unknown = values?.[at];
        row.push(this.#cell(Array.isArray(value) && value.length === 1 ? value[0] : value));
      }
    }
    return rows;
  }

  #tensors(tensors: readonly unknown[]): Rows {
    const columns = new Map<string, unknown>();
    for (const given of tensors) {
      const tensor = fieldsOf(given);
      const name = tensor?.["name"];
      if (tensor === null || typeof name !== "string") return "unknown-shape";
      const data = tensor["data"];
      // What may not be kept has no data, which is not the same as a column that was not sent.
      if (data === undefined || data === null) continue;
      const rows = tensorRows(data, tensor["shape"]);
      if (rows === null) return "unknown-shape";
      columns.set(name, rows);
    }
    return columns.size === 0 ? "not-captured" : this.#columns(columns);
  }

  /** Where in a row of this width each column stands; -1 for one that is not there; null when the width fits none. */
  #placesOf(width: number): readonly number[] | null {
    const { whole, inputs, inputsWidth } = this.#known;
    if (width === whole.length) return whole;
    return width === inputsWidth ? inputs : null;
  }

  #cells(row: readonly unknown[], places: readonly number[]): readonly Cell[] {
    // Nearly always nothing has to be put in another place, nor another value.
    if (places === this.#known.whole && !row.includes(null) && !row.includes("")) return row as readonly Cell[];
    return places.map((place) => (place < 0 ? undefined : this.#cell(row[place])));
  }

  #cell(value: unknown): Cell {
    return value === null || value === "" ? this.#nothing : (value as Cell);
  }

  #isOptional(name: string): boolean {
    return this.#shape.optional.includes(name);
  }
}

function isTensor(value: unknown): boolean {
  const tensor = fieldsOf(value);
  return tensor !== null && typeof tensor["name"] === "string" && Array.isArray(tensor["shape"]);
}

/** What is looked up of a shape for every request. */
interface KnownShape {
  names: ReadonlySet<string>;
  /** Where in a row without names each column stands: with all of them, and without those that are optional. */
  whole: readonly number[];
  inputs: readonly number[];
  inputsWidth: number;
}

const knownShapes = new WeakMap<RowShape, KnownShape>();

function known(shape: RowShape): KnownShape {
  let found = knownShapes.get(shape);
  if (found === undefined) {
    const { columns, optional } = shape;
    const inputs = columns.filter((name) => !optional.includes(name));
    found = {
      names: new Set(columns),
      whole: columns.map((_, at) => at),
      inputs: columns.map((name) => inputs.indexOf(name)),
      inputsWidth: inputs.length,
    };
    knownShapes.set(shape, found);
  }
  return found;
}
