import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { FileOffsets } from "./capture-tail.ts";

/** However quiet a folder looks, all of it is looked at this often. */
const WHOLE_LOOK_MS = 30_000;

/**
 * Whether reading an endpoint's capture is worth while, told from two looks at the file system: an endpoint at rest must
 * cost next to nothing. The system's own notifications of changes are not relied on; they do not come from every kind
 * of disk.
 */
export class CaptureNews {
  readonly #folder: string;
  #folderMs = Number.NaN;
  #newest: { name: string; size: number } | undefined;
  #wholeLookMs = Number.NEGATIVE_INFINITY;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async hasNews(nowMs: number): Promise<boolean> {
    if (Math.abs(nowMs - this.#wholeLookMs) >= WHOLE_LOOK_MS) return true;
    // A file that came or went changes the folder; one that grew does not.
    if ((await mtimeMs(this.#folder)) !== this.#folderMs) return true;
    if (this.#newest === undefined) return false;
    const found = await stat(join(this.#folder, this.#newest.name)).catch(() => undefined);
    return found?.size !== this.#newest.size;
  }

  /** To be told before a whole look begins, so that what comes during it is found by the next. */
  async beginLook(nowMs: number): Promise<void> {
    this.#wholeLookMs = nowMs;
    this.#folderMs = await mtimeMs(this.#folder);
  }

  /** What the look found. The file that is written to is the one that grew, or else the youngest. */
  endLook(before: FileOffsets, after: FileOffsets): void {
    const grown = Object.entries(after).filter(([name, { size }]) => size !== before[name]?.size);
    const name = grown.at(-1)?.[0] ?? this.#newest?.name ?? Object.keys(after).sort().at(-1);
    const at = name === undefined ? undefined : after[name];
    this.#newest = name === undefined || at === undefined ? undefined : { name, size: at.size };
  }

  /** What was found is not yet all read. */
  forget(): void {
    this.#wholeLookMs = Number.NEGATIVE_INFINITY;
  }
}

/** -1 for a folder that is not there. */
async function mtimeMs(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mtimeMs ?? -1;
}
