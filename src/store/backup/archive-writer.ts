import { createHash } from "node:crypto";
import { access, type FileHandle, link, open, readdir, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { BackupPart } from "../../core/backup/manifest.ts";
import { isAlive, markOf } from "../embedded/living-process.ts";
import { BackupError } from "./backup-error.ts";
import { BLOCK_BYTES, paddingBytes, tarHeader } from "./tar-header.ts";

/**
 * Writes a tar archive part by part, each hashed on its way. It grows beside its place under another name and gets its
 * own only when it is whole and on the disk; what a killed process left is taken away by the next writer.
 * Errors: `backup-not-written`.
 */
export class ArchiveWriter {
  readonly parts: BackupPart[] = [];
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #unfinished: string;
  readonly #atMs: number;
  #bytes = 0;

  private constructor(file: FileHandle, where: { path: string; unfinished: string }, atMs: number) {
    this.#file = file;
    this.#path = where.path;
    this.#unfinished = where.unfinished;
    this.#atMs = atMs;
  }

  static async create(path: string, atMs: number): Promise<ArchiveWriter> {
    const where = { path: resolve(path), unfinished: unfinishedName(resolve(path), process.pid) };
    return writing(path, async () => {
      if (await exists(where.path)) throw alreadyThere(path);
      await removeUnfinished(where.path);
      return new ArchiveWriter(await open(where.unfinished, "wx", 0o600), where, atMs);
    });
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A part that is in memory. */
  add(path: string, content: Buffer, rows?: number): Promise<void> {
    return this.addStream({ path, sizeBytes: content.length, ...(rows === undefined ? {} : { rows }) }, [content]);
  }

  /** A part of a known size, whose content comes piece by piece. Throws when there is more or less of it. */
  async addStream(
    { path, sizeBytes, rows }: { path: string; sizeBytes: number; rows?: number },
    content: Iterable<Buffer> | AsyncIterable<Buffer>,
  ): Promise<void> {
    await this.#write(tarHeader({ path, sizeBytes }, this.#atMs));
    const hash = createHash("sha256");
    let written = 0;
    for await (const piece of content) {
      hash.update(piece);
      written += piece.length;
      await this.#write(piece);
    }
    if (written !== sizeBytes)
      throw new BackupError("backup-not-written", `${path} changed while it was read: try again.`);
    await this.#write(Buffer.alloc(paddingBytes(sizeBytes)));
    this.parts.push({ path, bytes: sizeBytes, sha256: hash.digest("hex"), ...(rows === undefined ? {} : { rows }) });
  }

  /** Closes the archive and gives it its name. */
  async finish(): Promise<void> {
    await this.#write(Buffer.alloc(2 * BLOCK_BYTES));
    await writing(this.#path, async () => {
      await this.#file.sync();
      await this.#file.close();
      // A link is refused where a file appeared meanwhile; a rename would replace it.
      await link(this.#unfinished, this.#path).catch((error: NodeJS.ErrnoException) => {
        throw error.code === "EEXIST" ? alreadyThere(this.#path) : error;
      });
      await rm(this.#unfinished);
      await syncFolder(dirname(this.#path));
    });
  }

  /** Takes away what was written; after `finish` it does nothing. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await rm(this.#unfinished, { force: true });
  }

  async #write(bytes: Buffer): Promise<void> {
    await writing(this.#path, async () => {
      for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at)).bytesWritten;
    });
    this.#bytes += bytes.length;
  }
}

function unfinishedName(path: string, pid: number): string {
  return join(dirname(path), `.${basename(path)}.${pid}.unfinished`);
}

async function removeUnfinished(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    const pid = Number(/^\.(.+)\.(\d+)\.unfinished$/.exec(name)?.[2]);
    if (!(pid > 0) || join(dirname(path), name) !== unfinishedName(path, pid)) continue;
    if (pid === process.pid || !isAlive(markOf(pid))) await rm(join(dirname(path), name), { force: true });
  }
}

async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BackupError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const reason = code === "ENOSPC" ? "the disk is full" : code === "ENOENT" ? "its folder is not there" : code;
    throw new BackupError("backup-not-written", `${path} cannot be written: ${reason}. Nothing of it was left.`, {
      cause: error,
      details: { code },
    });
  }
}

function alreadyThere(path: string): BackupError {
  return new BackupError("backup-not-written", `${path} is there already: name another file.`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return; // folders cannot be opened there
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
