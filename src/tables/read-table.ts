import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { TableBatch } from "../core/monitor/dataset/table-batch.ts";
import { readCsv } from "./read-csv.ts";
import { readJsonLines } from "./read-json-lines.ts";
import { readParquet } from "./read-parquet.ts";
import { tableError } from "./table-error.ts";
import type { TableSource } from "./table-source.ts";

export interface TableLimits {
  /** Rows and cells that are read at most; more is an error (`too-large`). */
  rowsMax?: number;
  cellsMax?: number;
  /** Of what a gzip file unpacks to. */
  unpackedBytesMax?: number;
}

/**
 * The rows of a table in CSV or JSON Lines (either may be packed with gzip) or Parquet, batch by batch and in constant
 * memory; of Parquet one row group is held at a time. What it is shows in its first bytes, never in its name. There is
 * at least one batch, so that the columns of a table without rows are known. Errors: `malformed`, `too-large`.
 */
export async function* readTable(source: TableSource, limits: TableLimits = {}): AsyncGenerator<TableBatch> {
  let rows = 0;
  let cells = 0;
  for await (const batch of readBatches(source, limits)) {
    rows += batch.rows;
    cells += batch.rows * batch.names.length;
    checkSize({ rows, cells }, limits);
    yield batch;
  }
}

function checkSize({ rows, cells }: { rows: number; cells: number }, { rowsMax, cellsMax }: TableLimits): void {
  if (rows <= (rowsMax ?? Number.POSITIVE_INFINITY) && cells <= (cellsMax ?? Number.POSITIVE_INFINITY)) return;
  const most = [
    ...(rowsMax === undefined ? [] : [`${rowsMax} rows`]),
    ...(cellsMax === undefined ? [] : [`${cellsMax} values`]),
  ];
  throw tableError("too-large", `the table has more than ${most.join(" or ")}; a sample of it will do`);
}

async function* readBatches(source: TableSource, limits: TableLimits): AsyncGenerator<TableBatch> {
  const start = await source.read(0, 4);
  if (startsWith(start, [0x50, 0x41, 0x52, 0x31])) {
    yield* readParquet(source, (rows, columns) => checkSize({ rows, cells: rows * columns }, limits));
    return;
  }
  const isPacked = startsWith(start, [0x1f, 0x8b]);
  const bytes = isPacked ? unpacked(source, limits) : source.stream();
  yield* readText(textOf(bytes));
}

function startsWith(bytes: Uint8Array, mark: readonly number[]): boolean {
  return mark.every((byte, at) => bytes[at] === byte);
}

async function* unpacked(source: TableSource, limits: TableLimits): AsyncGenerator<Uint8Array> {
  const max = limits.unpackedBytesMax ?? Number.POSITIVE_INFINITY;
  let size = 0;
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  const packed = Readable.from(source.stream());
  packed.once("error", (error) => gunzip.destroy(error));
  try {
    for await (const chunk of packed.pipe(gunzip) as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > max) throw tableError("too-large", `the table unpacks to more than ${max} bytes`);
      yield chunk;
    }
  } catch (error) {
    if (String((error as NodeJS.ErrnoException).code).startsWith("Z_"))
      throw tableError("malformed", "the gzip file is damaged or cut short");
    throw error;
  } finally {
    packed.destroy();
    gunzip.destroy();
  }
}

/** UTF-8, with or without a mark in front. */
async function* textOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch {
      throw tableError("malformed", "it is neither Parquet nor text in UTF-8");
    }
  };
  for await (const chunk of chunks) yield decode(chunk);
  yield decode();
}

/** A line of JSON begins with a brace, which begins no ordinary header. */
async function* readText(texts: AsyncGenerator<string>): AsyncGenerator<TableBatch> {
  let head = "";
  // A loop would close what is read on from here.
  for (let next = await texts.next(); next.done !== true; next = await texts.next()) {
    head += next.value;
    if (head.trim() !== "") break;
  }
  const all = (async function* () {
    yield head;
    yield* texts;
  })();
  yield* head.trimStart().startsWith("{") ? readJsonLines(all) : readCsv(all);
}
