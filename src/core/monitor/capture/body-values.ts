/** An object that is no array; null for all else. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : null;
}

/** A JSON value, or the lines of several as an array; undefined for what is neither. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    if (lines.length < 2) return undefined;
    try {
      return lines.map((line): unknown => JSON.parse(line));
    } catch {
      return undefined;
    }
  }
}

/** A value, or an array of values, for each row of a tensor; null when data and shape do not fit. */
export function tensorRows(data: unknown, shape: unknown): unknown[] | null {
  if (!Array.isArray(data) || !Array.isArray(shape)) return null;
  const values: unknown[] = Array.isArray(data[0]) ? data.flat(15) : data;
  const length = Number(shape[0]);
  if (!Number.isSafeInteger(length) || length < 1 || values.length === 0 || values.length % length !== 0) return null;
  const width = values.length / length;
  if (width === 1) return values;
  return Array.from({ length }, (_, row) => values.slice(row * width, (row + 1) * width));
}
