import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { ContinuumError } from "../../core/error.ts";
import { BackupError } from "./backup-error.ts";
import { BLOCK_BYTES, paddingBytes, readTarHeader } from "./tar-header.ts";

/** Where a part lies in the archive. */
export interface ArchiveEntry {
  path: string;
  sizeBytes: number;
  /** Of its first byte in the file. */
  offset: number;
}

const PIECE_BYTES = 1024 * 1024;

/** Reads an archive by looking its parts up: their order and size do not matter. Errors: `backup-damaged`. */
export class ArchiveReader {
  readonly entries: ReadonlyMap<string, ArchiveEntry>;
  readonly #file: FileHandle;
  readonly #path: string;

  private constructor(file: FileHandle, path: string, entries: ReadonlyMap<string, ArchiveEntry>) {
    this.#file = file;
    this.#path = path;
    this.entries = entries;
  }

  static async open(path: string): Promise<ArchiveReader> {
    const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
      throw new ContinuumError(
        "file-unreadable",
        `${path} cannot be read (${error.code ?? "?"}): name a file of yours.`,
      );
    });
    try {
      return new ArchiveReader(file, path, await readEntries(file, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The content of a part, piece by piece. */
  async *stream({ path, offset, sizeBytes }: ArchiveEntry): AsyncGenerator<Buffer> {
    for (let at = 0; at < sizeBytes; ) {
      const wanted = Math.min(PIECE_BYTES, sizeBytes - at);
      const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(wanted), 0, wanted, offset + at);
      if (bytesRead === 0) throw damaged(this.#path, `it ends within ${path}`, offset + at);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  async read(entry: ArchiveEntry): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.stream(entry)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** `stream` for a part whose hash is known: throws at its end when what was read is something else. */
  async *checkedStream(entry: ArchiveEntry, sha256: string): AsyncGenerator<Buffer> {
    const hash = createHash("sha256");
    for await (const piece of this.stream(entry)) {
      hash.update(piece);
      yield piece;
    }
    if (hash.digest("hex") !== sha256) throw this.damaged(`${entry.path} is not what was written`, entry.offset);
  }

  damaged(what: string, byte: number): BackupError {
    return damaged(this.#path, what, byte);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function readEntries(file: FileHandle, path: string): Promise<ReadonlyMap<string, ArchiveEntry>> {
  const entries = new Map<string, ArchiveEntry>();
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, at);
    if (bytesRead < BLOCK_BYTES) throw damaged(path, "it ends in the middle, so it was cut off", at + bytesRead);
    const header = readTarHeader(block);
    if (header === "damaged") throw damaged(path, at === 0 ? "it is no backup" : "what begins here is no part", at);
    if (header === undefined) {
      const { size } = await file.stat();
      if (size !== at + 2 * BLOCK_BYTES)
        throw damaged(path, "there is more or less after its end than there should be", at);
      return entries;
    }
    if (entries.has(header.path)) throw damaged(path, `${header.path} is in it twice`, at);
    const offset = at + BLOCK_BYTES;
    entries.set(header.path, { ...header, offset });
    at = offset + header.sizeBytes + paddingBytes(header.sizeBytes);
  }
}

function damaged(path: string, what: string, byte: number): BackupError {
  return new BackupError(
    "backup-damaged",
    `${path} is damaged at byte ${byte}: ${what}. Nothing was restored; take another copy of the backup.`,
    { details: { byte } },
  );
}
