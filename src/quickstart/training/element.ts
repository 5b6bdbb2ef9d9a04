import { assert } from "../../core/error.ts";

/** The element at an index that the caller knows to be inside: anything else is a bug of ours. */
export function element<T>(values: { readonly [index: number]: T; readonly length: number }, index: number): T {
  const value = values[index];
  assert(value !== undefined, `index ${index} lies inside an array of ${values.length}`);
  return value;
}
