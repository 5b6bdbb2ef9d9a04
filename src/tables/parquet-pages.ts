import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { tableError } from "./table-error.ts";

/** What one page may unpack to. */
export const PAGE_BYTES_MAX = 256 * 1024 * 1024;

type PageHeader = Record<`field_${number}`, unknown>;

/**
 * Looks at the heads of a column's pages before they are unpacked: the reader believes them, and would go round in a
 * circle where a length is negative, or make room for as many values as a head of a few bytes claims. Source of the
 * fields' numbers: `parquet.thrift`, PageHeader, DataPageHeader, DictionaryPageHeader and DataPageHeaderV2.
 */
export async function pageCheck(metadata: FileMetaData) {
  const { deserializeTCompactProtocol } = await import("hyparquet/src/thrift.js");
  return async (file: AsyncBuffer, { group, at }: { group: number; at: number }): Promise<void> => {
    const chunk = metadata.row_groups[group]?.columns[at]?.meta_data;
    const rows = Number(metadata.row_groups[group]?.num_rows ?? 0);
    if (chunk === undefined) damaged();
    const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
    const size = Number(chunk.total_compressed_size);
    if (!(start >= 0 && size >= 0 && start + size <= file.byteLength)) damaged();
    const view = new DataView(await file.slice(start, start + size));
    const reader = { view, offset: 0 };
    while (reader.offset < view.byteLength) {
      const header = deserializeTCompactProtocol(reader) as PageHeader;
      const packedBytes = sizeOf(header.field_3, view.byteLength - reader.offset);
      const bytes = sizeOf(header.field_2, PAGE_BYTES_MAX);
      for (const part of [header.field_5, header.field_8]) if (isStruct(part)) sizeOf(part.field_1, rows);
      // Each value of a dictionary takes a byte at least, but for texts of no length in one place: those take four.
      if (isStruct(header.field_7)) sizeOf(header.field_7.field_1, bytes * 8);
      reader.offset += packedBytes;
    }
  };
}

function isStruct(value: unknown): value is PageHeader {
  return typeof value === "object" && value !== null;
}

function sizeOf(value: unknown, max: number): number {
  return typeof value === "number" && value >= 0 && value <= max ? value : damaged();
}

function damaged(): never {
  throw tableError("malformed", "its pages are damaged");
}
