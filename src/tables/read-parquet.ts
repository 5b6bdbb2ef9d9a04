import type { AsyncBuffer, Compressors, DecodedArray, FileMetaData } from "hyparquet";
import { ContinuumError } from "../core/error.ts";
import type { Cell, TableBatch } from "../core/monitor/dataset/table-batch.ts";
import { PAGE_BYTES_MAX, pageCheck } from "./parquet-pages.ts";
import { type TableErrorCode, tableError } from "./table-error.ts";
import { checkNames, rowsPerBatch } from "./table-names.ts";
import type { TableSource } from "./table-source.ts";

/** What one row group may unpack to: it is held in memory as a whole. Writers cut at about a million rows. */
const ROW_GROUP_BYTES_MAX = 2 * 1024 * 1024 * 1024;
const ROW_GROUP_ROWS_MAX = 16 * 1024 * 1024;

/**
 * Parquet, one row group after the other. Dates and times become text in ISO 8601; a number that is none (NaN) is
 * missing, as the writers of tables mean it. Nested columns are refused. `checkSize` is asked about what the file says
 * of itself before any of it is unpacked. Errors: `malformed`, `too-large`.
 */
export async function* readParquet(
  source: TableSource,
  checkSize: (rows: number, columns: number) => void,
): AsyncGenerator<TableBatch> {
  const { parquetMetadataAsync, parquetScan } = await import("hyparquet");
  const file = bufferOf(source);
  const metadata = await orMalformed(() => parquetMetadataAsync(file), "it is no Parquet file that can be read");
  const names = columnNames(metadata);
  checkNames(names);
  for (const [at, group] of metadata.row_groups.entries()) checkGroup(at, group);
  // Equal values take next to nothing in the file and all their room in memory, where a whole group waits.
  checkSize(
    metadata.row_groups.reduce((sum, { num_rows }) => sum + Math.max(0, Number(num_rows)), 0),
    names.length,
  );
  const compressors = await boundedCompressors();
  const pages = await pageCheck(metadata);
  const scan = await orMalformed(() => parquetScan({ file, metadata, compressors }), "its parts cannot be found");
  if (scan.ranges.length === 0) yield { names, columns: names.map(() => []), rows: 0 };
  for (const [group, { rowStart, rowEnd }] of scan.ranges.entries()) {
    const columns: DecodedArray[] = [];
    for (const [at, column] of names.entries()) {
      await orMalformed(() => pages(file, { group, at }), "its pages are damaged", { column });
      const decoded = await orMalformed(() => scan.readColumn({ column, rowStart, rowEnd }), "it cannot be unpacked", {
        column,
      });
      if (decoded.length !== rowEnd - rowStart)
        throw tableError("malformed", "it has fewer values than the file says", { column });
      columns.push(compact(decoded));
    }
    yield* batchesOf({ names, columns, firstRow: rowStart, rows: rowEnd - rowStart });
  }
}

/**
 * Numbers in 8 bytes each, with NaN for what is missing: a whole row group waits in memory for its last column, and
 * boxed numbers take three times as much.
 */
function compact(decoded: DecodedArray): DecodedArray {
  if (!Array.isArray(decoded)) return decoded;
  const values: readonly unknown[] = decoded;
  const numbers = new Float64Array(values.length);
  for (let row = 0; row < values.length; row += 1) {
    const value = values[row];
    if (typeof value === "number") numbers[row] = value;
    else if (typeof value === "bigint") numbers[row] = Number(value);
    else if (value === null || value === undefined) numbers[row] = Number.NaN;
    else return decoded;
  }
  return numbers;
}

function* batchesOf(group: {
  names: readonly string[];
  columns: readonly DecodedArray[];
  firstRow: number;
  rows: number;
}): Generator<TableBatch> {
  const step = rowsPerBatch(group.names.length);
  for (let from = 0; from < group.rows; from += step) {
    const to = Math.min(from + step, group.rows);
    const columns = group.columns.map((decoded, at) => {
      const cells = new Array<Cell>(to - from);
      for (let row = from; row < to; row += 1) {
        const place = { row: group.firstRow + row + 1, column: group.names[at] ?? "" };
        cells[row - from] = cellOf(decoded[row], place);
      }
      return cells;
    });
    yield { names: group.names, columns, rows: to - from };
  }
}

function cellOf(value: unknown, place: { row: number; column: string }): Cell {
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value.trim() === "" ? null : value;
  if (typeof value === "boolean") return value;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  throw tableError("malformed", "a list, an object or bytes are no value of a column", place);
}

function columnNames({ schema }: FileMetaData): string[] {
  const [root, ...elements] = schema;
  const nested = elements.find(({ num_children, repetition_type }) => num_children || repetition_type === "REPEATED");
  if (nested !== undefined)
    throw tableError("malformed", "it is nested, and a table has one value in each cell", { column: nested.name });
  if (root?.num_children !== elements.length) throw tableError("malformed", "it is no Parquet file that can be read");
  return elements.map(({ name }) => name);
}

/** What a file says of itself is looked at before anything is unpacked: a small one can claim to be huge. */
function checkGroup(at: number, group: FileMetaData["row_groups"][number]): void {
  const bytes = group.columns.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0), 0);
  if (bytes > ROW_GROUP_BYTES_MAX || Number(group.num_rows) > ROW_GROUP_ROWS_MAX) {
    const most = `${ROW_GROUP_ROWS_MAX} rows or ${ROW_GROUP_BYTES_MAX} bytes`;
    throw tableError("too-large", `row group ${at + 1} has more than ${most}; write the file with smaller row groups`);
  }
}

function bufferOf(source: TableSource): AsyncBuffer {
  return {
    byteLength: source.sizeBytes,
    async slice(start, end) {
      const from = start < 0 ? Math.max(0, source.sizeBytes + start) : start;
      const bytes = await source.read(from, end ?? source.sizeBytes);
      // The reader wants a buffer of its own, and never writes to it.
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    },
  };
}

async function boundedCompressors(): Promise<Compressors> {
  const { compressors } = await import("hyparquet-compressors");
  return Object.fromEntries(
    Object.entries(compressors).map(([codec, unpack]) => [
      codec,
      (input: Uint8Array, outputLength: number) => {
        if (outputLength > PAGE_BYTES_MAX)
          throw tableError("too-large", `a page unpacks to more than ${PAGE_BYTES_MAX} bytes`);
        return unpack(input, outputLength);
      },
    ]),
  );
}

/** A reader's own words may quote the file's content, so they are not passed on. */
async function orMalformed<T>(read: () => Promise<T>, message: string, place: { column?: string } = {}): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ContinuumError) throw error as ContinuumError<TableErrorCode>;
    throw tableError("malformed", message, place);
  }
}
