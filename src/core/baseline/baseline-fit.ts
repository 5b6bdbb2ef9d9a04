import type { ColumnFacts } from "../monitor/dataset/feature-statistics.ts";
import type { Plan } from "../plan/schema.ts";
import { type ModelInput, readModelInputs } from "./model-inputs.ts";

/**
 * Whether a monitor's baseline is a table of what the model takes: level *full* of CP-1. Drift is measured column by
 * column against it, so a column that is missing, too many or of another type would be measured against nothing.
 */
export type BaselineFit = { fits: true } | { fits: false; problem: string };

type Monitor = Plan["spec"]["monitor"];

/**
 * `problem` is one sentence. The label (what the model predicts) and what a model answered are no inputs and may stand
 * in the table all the same, as the monitor reads them there; so may the facet whose sides are compared and the group
 * within which they are, for neither need be given to the model. A model with one input of several
 * values knows no names of columns: there the number and the kind of the columns is what can be compared.
 */
export function baselineFit(given: {
  model: Uint8Array;
  columns: readonly ColumnFacts[];
  monitor: Monitor;
}): BaselineFit {
  const inputs = readModelInputs(given.model);
  if (!inputs.ok) return misfit(sentence(inputs.problem.message));
  const { modelQuality, bias, dataDrift } = given.monitor ?? {};
  const answers = [
    ...[modelQuality?.["label"], modelQuality?.prediction, modelQuality?.probability, dataDrift?.prediction],
  ];
  const columns = given.columns.filter(({ name }) => !answers.includes(name));
  const besides = [bias?.["facet"], bias?.group].filter((name) => typeof name === "string");
  const [only] = inputs.value;
  const named = columns.find(({ name }) => name === only?.name);
  const isWide = inputs.value.length === 1 && named === undefined;
  return isWide && only !== undefined ? fitsWide(columns, only, besides) : fitsByName(columns, inputs.value, besides);
}

/** One tensor of rows by columns, in the table's order. */
function fitsWide(columns: readonly ColumnFacts[], input: ModelInput, besides: readonly string[]): BaselineFit {
  const width = widthOf(input);
  if (width === undefined) return misfit(`The model's input "${input.name}" is no row of values.`);
  // What may stand besides counts as an input where the model has a place for it.
  const features =
    [[], ...besides.map((name) => [name]), besides]
      .map((left) => columns.filter(({ name }) => !left.includes(name)))
      .find(({ length }) => length === width) ?? columns;
  if (width !== null && features.length !== width) {
    return misfit(
      `The model takes ${width} values in a row, and the baseline has ${features.length} columns of input.`,
    );
  }
  return firstMisfit(features.map((column) => typeProblem(column, input)));
}

function fitsByName(columns: readonly ColumnFacts[], inputs: ModelInput[], besides: readonly string[]): BaselineFit {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const wanted = new Set(inputs.map(({ name }) => name));
  const extra = columns.find(({ name }) => !wanted.has(name) && !besides.includes(name));
  return firstMisfit([
    ...inputs.map((input) => {
      const column = byName.get(input.name);
      if (column === undefined) return `The baseline has no column for the model's input "${shown(input.name)}".`;
      return widthOf(input) === undefined || Number(widthOf(input) ?? 1) > 1
        ? `The model's input "${shown(input.name)}" is no single value, so no column can be compared with it.`
        : typeProblem(column, input);
    }),
    extra === undefined ? null : `The baseline's column "${shown(extra.name)}" is no input of the model.`,
  ]);
}

/** Values in a row of the input: 1 for [N] and [N, 1], M for [N, M], null for any number; undefined for other shapes. */
function widthOf({ shape }: ModelInput): number | null | undefined {
  if (shape === undefined) return null;
  if (shape.length === 1) return 1;
  return shape.length === 2 ? (shape[1] ?? null) : undefined;
}

function typeProblem(column: ColumnFacts, { values }: ModelInput): string | null {
  const name = shown(column.name);
  switch (values) {
    case "text":
      return null;
    case "real":
      return isNumeric(column)
        ? null
        : `The model takes numbers, and the baseline's column "${name}" holds something else.`;
    case "integer":
      return isNumeric(column) && column.kinds.fractional === 0 && column.kinds.missing === 0
        ? null
        : `The model takes whole numbers, and the baseline's column "${name}" holds something else.`;
    case "bool":
      return column.isTruth && column.kinds.missing === 0
        ? null
        : `The model takes true and false, and the baseline's column "${name}" holds something else.`;
    case "other":
      return "The model takes values of a type that no table holds.";
  }
}

function isNumeric({ kinds }: ColumnFacts): boolean {
  return kinds.text === 0 && kinds.truth === 0;
}

function firstMisfit(problems: readonly (string | null)[]): BaselineFit {
  const first = problems.find((one) => one !== null);
  return first == null ? { fits: true } : misfit(first);
}

function misfit(problem: string): BaselineFit {
  return { fits: false, problem };
}

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}

/** A name as a terminal and a log show it: its writer is a stranger. */
function shown(name: string): string {
  return name.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "?").slice(0, 64);
}
