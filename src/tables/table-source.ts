import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Where a table's bytes come from. Parquet is read by pieces, everything else from its beginning to its end. */
export interface TableSource {
  sizeBytes: number;
  read(from: number, to: number): Promise<Uint8Array>;
  stream(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

const CHUNK_BYTES = 256 * 1024;

export function bytesSource(bytes: Uint8Array): TableSource {
  return {
    sizeBytes: bytes.length,
    read: async (from, to) => bytes.subarray(from, to),
    async *stream() {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
    },
    close: async () => undefined,
  };
}

/** Errors: those of the file system, as they are. */
export async function fileSource(path: string): Promise<TableSource> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    return {
      sizeBytes: size,
      read: (from, to) => readWhole(handle, { from, to: Math.min(to, size) }),
      stream: () => createReadStream(path, { highWaterMark: CHUNK_BYTES }),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The same source, telling after each piece how many bytes were read of how many. */
export function watchedSource(
  source: TableSource,
  onProgress: (progress: { readBytes: number; sizeBytes: number }) => void,
): TableSource {
  let readBytes = 0;
  const count = (bytes: Uint8Array) => {
    readBytes += bytes.length;
    onProgress({ readBytes: Math.min(readBytes, source.sizeBytes), sizeBytes: source.sizeBytes });
    return bytes;
  };
  return {
    ...source,
    read: async (from, to) => count(await source.read(from, to)),
    async *stream() {
      for await (const chunk of source.stream()) yield count(chunk);
    },
  };
}

async function readWhole(handle: FileHandle, { from, to }: { from: number; to: number }): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, to - from));
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, from + done);
    // The file became shorter meanwhile: what is there is all there is.
    if (bytesRead === 0) return bytes.subarray(0, done);
    done += bytesRead;
  }
  return bytes;
}
