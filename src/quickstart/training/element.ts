/**
 * The element at an index that the caller knows to be inside: anything else is a bug of ours. It stands in the
 * innermost loops of training, so the words of the failure are only put together when there is one.
 */
export function element<T>(values: { readonly [index: number]: T; readonly length: number }, index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`broken invariant: index ${index} of an array of ${values.length}`);
  return value;
}
