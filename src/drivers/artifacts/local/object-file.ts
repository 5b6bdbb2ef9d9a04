import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open as openFile, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ContinuumError } from "../../../core/error.ts";
import type { ArtifactErrorCode } from "../artifacts.ts";
import {
  HEADER_BYTES,
  type ObjectHeader,
  type ObjectName,
  opener,
  PIECE_BYTES,
  readHeader,
  type StoreKey,
  sealer,
  TAG_BYTES,
} from "../sealed-object.ts";

/** What a file has at its end while it is not whole. */
export const PART = ".part";
/** How long a file half written is left alone before it counts as one that a crash left behind. */
const LEFTOVER_MS = 60 * 60 * 1000;

export interface FirstBytes {
  /** As many as a header has, or as the file has. */
  bytes: Buffer;
  fileBytes: number;
}

/** The plaintext, piece by piece. Nothing of it may be used before the last piece came: only then is it authentic. */
export async function* openedPieces(key: StoreKey, name: ObjectName, file: FileHandle): AsyncGenerator<Buffer> {
  const first = await onDisk(() => readFirst(file));
  const { sizeBytes } = readHeader(key, name, first.bytes, first.fileBytes);
  const content = opener(key, name, first.bytes);
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    const bytes = Math.min(PIECE_BYTES, sizeBytes - at);
    yield content.update(await onDisk(() => readAt(file, { position: HEADER_BYTES + at, bytes })));
  }
  content.finish(await onDisk(() => readAt(file, { position: HEADER_BYTES + sizeBytes, bytes: TAG_BYTES })));
}

/** What an open object says of itself. Errors: `corrupt`. */
export async function headerOf(key: StoreKey, name: ObjectName, file: FileHandle): Promise<ObjectHeader> {
  const first = await onDisk(() => readFirst(file));
  return readHeader(key, name, first.bytes, first.fileBytes);
}

/**
 * The object as another key seals it, piece by piece. Throws `corrupt` before the last piece when what is in the file is
 * not authentic: whoever writes the pieces must keep nothing of them then.
 */
export async function* resealedPieces(
  keys: { from: StoreKey; to: StoreKey },
  name: ObjectName,
  file: FileHandle,
): AsyncGenerator<Buffer> {
  const content = sealer(keys.to, name, await headerOf(keys.from, name, file));
  yield content.header;
  for await (const piece of openedPieces(keys.from, name, file)) yield content.update(piece);
  yield content.finish();
}

/** A file appears whole or not at all: it is written beside its place, synced, and renamed. */
export async function writeObject(
  folder: string,
  fileName: string,
  pieces: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await sweepParts(folder);
  const part = join(folder, `${randomUUID()}${PART}`);
  try {
    const file = await openFile(part, "wx", 0o600);
    try {
      for await (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, join(folder, fileName));
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

export async function firstBytes(path: string): Promise<FirstBytes> {
  const file = await openFile(path, "r");
  try {
    return await readFirst(file);
  } finally {
    await file.close();
  }
}

async function readFirst(file: FileHandle): Promise<FirstBytes> {
  const { size } = await file.stat();
  return { bytes: await readAt(file, { position: 0, bytes: Math.min(HEADER_BYTES, size) }), fileBytes: size };
}

/** Exactly that many bytes, or zeros where the file ends early, which no authentication lets pass. */
async function readAt(file: FileHandle, range: { position: number; bytes: number }): Promise<Buffer> {
  const buffer = Buffer.alloc(range.bytes);
  for (let filled = 0; filled < range.bytes; ) {
    const { bytesRead } = await file.read(buffer, filled, range.bytes - filled, range.position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer;
}

/** Takes away what a crash left half written. */
export async function sweepParts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(PART)) continue;
    const found = await unlessMissing(stat(join(folder, name)));
    if (found !== undefined && Date.now() - found.mtimeMs > LEFTOVER_MS) await rm(join(folder, name), { force: true });
  }
}

/** Makes a rename survive a power cut. Windows has no way to sync a folder, and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await openFile(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The work's failures of the disk as `store-failed`; what the store itself says stays as it is. */
export async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ContinuumError) throw cause;
    // The system's message holds paths of the host; its code says enough.
    const code = codeOf(cause) ?? "unknown";
    throw new ContinuumError<ArtifactErrorCode>("store-failed", `the artifact store's disk failed: ${code}`, {
      cause,
      retryable: true,
      details: { code },
    });
  }
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
