import { damaged, type SketchReader, type SketchWriter } from "./sketch-bytes.ts";

const DOUBLES = 0;
const SINGLES = 1;
const WHOLE = 2;
/** The difference of two whole numbers up to this is a whole number that a double holds. */
const WHOLE_MAX = 2 ** 51;

/** Ordered finite numbers in the shortest of three forms that loses nothing: whole ones as differences, singles, doubles. */
export function writeValues(to: SketchWriter, values: Float64Array): void {
  const form = formOf(values);
  to.count(values.length);
  if (values.length === 0) return;
  to.byte(form);
  if (form === WHOLE) {
    const first = values[0] ?? 0;
    to.byte(first < 0 ? 1 : 0);
    to.count(Math.abs(first));
    for (let at = 1; at < values.length; at += 1) to.count((values[at] ?? 0) - (values[at - 1] ?? 0));
    return;
  }
  for (const value of values) {
    if (form === SINGLES) to.single(value);
    else to.double(value);
  }
}

/** Ordered finite numbers again, or `bad-sketch`. */
export function readValues(from: SketchReader, max: number): Float64Array {
  const length = from.length(max, 1);
  const values = new Float64Array(length);
  if (length === 0) return values;
  const form = from.byte();
  if (form === WHOLE) {
    const isNegative = from.byte() === 1;
    let value = from.count() * (isNegative ? -1 : 1) + 0;
    values[0] = value;
    for (let at = 1; at < length; at += 1) {
      value += from.count();
      values[at] = value;
    }
  } else if (form === SINGLES || form === DOUBLES)
    for (let at = 0; at < length; at += 1) values[at] = form === SINGLES ? from.single() : from.double();
  else damaged("numbers in no known form");
  for (let at = 0; at < length; at += 1) {
    const value = values[at] ?? Number.NaN;
    if (!Number.isFinite(value) || value < (values[at - 1] ?? Number.NEGATIVE_INFINITY))
      damaged("numbers out of order");
  }
  return values;
}

function formOf(values: Float64Array): number {
  const isWhole = values.every(
    (value) => Number.isInteger(value) && Math.abs(value) <= WHOLE_MAX && !Object.is(value, -0),
  );
  if (isWhole) return WHOLE;
  return values.every((value) => Math.fround(value) === value) ? SINGLES : DOUBLES;
}
