import { ContinuumError } from "../../../core/error.ts";
import type { Archive, ArchiveErrorCode } from "../archive.ts";

/** Keeps checkpoints for as long as the process lives; for tests, which can take it away and rewrite it. */
export class MemoryArchive implements Archive {
  readonly name = "memory";
  readonly keepsAll = true;
  /** By origin, then by size. */
  readonly held = new Map<string, Map<number, Uint8Array>>();
  /** While true nothing can be reached. */
  lost = false;

  async publish({ origin, size, note }: Parameters<Archive["publish"]>[0]) {
    const log = this.#log(origin);
    const there = log.get(size);
    if (there !== undefined && textOf(there) !== textOf(note))
      throw failure("archive-conflict", `the archive holds another checkpoint of size ${size}`);
    if (there === undefined) log.set(size, note);
    return { cosignatures: [] };
  }

  async *kept(origin: string) {
    for (const [size, note] of [...this.#log(origin)].sort(([a], [b]) => a - b)) yield { size, note };
  }

  async newest(origin: string) {
    return (await Array.fromAsync(this.kept(origin))).at(-1);
  }

  #log(origin: string): Map<number, Uint8Array> {
    if (this.lost) throw failure("archive-unavailable", "the archive cannot be reached");
    const log = this.held.get(origin) ?? new Map<number, Uint8Array>();
    this.held.set(origin, log);
    return log;
  }
}

/** What was signed, without the signatures. */
function textOf(note: Uint8Array): string {
  const text = Buffer.from(note).toString("utf8");
  return text.slice(0, text.lastIndexOf("\n\n"));
}

function failure(code: ArchiveErrorCode, message: string): ContinuumError<ArchiveErrorCode> {
  return new ContinuumError(code, message, { retryable: code === "archive-unavailable" });
}
