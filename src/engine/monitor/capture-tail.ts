import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { LOSS_LINE_START } from "../../core/monitor/capture/captured-loss.ts";

/** Up to which byte a file was read, and how large it was then. */
export interface FileOffset {
  offset: number;
  size: number;
}

/** By the file's name, within one endpoint's folder. */
export type FileOffsets = Readonly<Record<string, FileOffset>>;

export interface TailRead {
  /** Whole lines without their line feeds, oldest first. */
  lines: string[];
  /** What is true once the lines were counted. */
  offsets: FileOffsets;
  /** Lines that never ended, or were too long to be one. */
  torn: number;
  /** Of files that went before they were read to their end: at least so much was lost. */
  lostFiles: number;
  lostBytes: number;
  /** Lines that were passed over because only a sample was asked for. */
  notSampled: number;
  /** Bytes of all lines, with their line feeds. */
  bytes: number;
  /** Whole lines may be waiting still. */
  more: boolean;
}

export interface TailOptions {
  folder: string;
  offsets: FileOffsets;
  /** Read at once, at most. */
  bytesMax: number;
  /** On the clock of this machine, which is the one that files are stamped with. */
  nowMs: number;
  /** Where nothing was read yet: what was last written before then is passed over. */
  sinceMs?: number;
  /** Draws for each line whether it is read, whatever is in it; left out, every line is. */
  draw?: () => boolean;
}

/**
 * A line that was not ended after so long never will be: serving writes whole lines, and begins a new one after a write
 * that broke off.
 */
const TORN_MS = 60_000;

/**
 * Reads on in an endpoint's capture files. Each file has an offset of its own and not the folder one, because names sort
 * by the clock of the machine, which may be set back. Nothing is remembered here: the same offsets read the same lines.
 */
export async function readTail(options: TailOptions): Promise<TailRead> {
  const names = await captureFiles(options.folder);
  const read: TailRead = { lines: [], offsets: {}, torn: 0, ...lossOf(options.offsets, names), ...NOTHING_READ };
  const offsets: Record<string, FileOffset> = {};
  const isFirst = Object.keys(options.offsets).length === 0;
  let left = options.bytesMax;
  for (const name of names) {
    const before = options.offsets[name];
    const file = await readFile(join(options.folder, name), { before, left, options, isFirst });
    if (file === undefined) {
      // It went between the look at the folder and the look at the file.
      if (before !== undefined && before.size > before.offset) {
        read.lostFiles += 1;
        read.lostBytes += before.size - before.offset;
      }
      continue;
    }
    offsets[name] = file.at;
    left -= file.bytes;
    read.bytes += file.bytes;
    read.notSampled += file.notSampled;
    read.torn += file.torn;
    read.more ||= file.more;
    for (const line of file.lines) read.lines.push(line);
  }
  read.offsets = offsets;
  return read;
}

function lossOf(offsets: FileOffsets, names: readonly string[]): Pick<TailRead, "lostFiles" | "lostBytes"> {
  const there = new Set(names);
  const lost = Object.entries(offsets).filter(([name, { offset, size }]) => !there.has(name) && size > offset);
  return { lostFiles: lost.length, lostBytes: lost.reduce((sum, [, { offset, size }]) => sum + size - offset, 0) };
}

const NOTHING_READ = { notSampled: 0, bytes: 0, more: false };

interface FileRead {
  at: FileOffset;
  lines: string[];
  torn: number;
  notSampled: number;
  bytes: number;
  more: boolean;
}

async function readFile(
  path: string,
  how: { before: FileOffset | undefined; left: number; options: TailOptions; isFirst: boolean },
): Promise<FileRead | undefined> {
  const { before, left, options, isFirst } = how;
  const found = await stat(path).catch(unlessGone);
  if (found === undefined) return undefined;
  const { size, mtimeMs } = found;
  const nothing = { lines: [], torn: 0, ...NOTHING_READ };
  if (before === undefined && isFirst && mtimeMs < (options.sinceMs ?? Number.NEGATIVE_INFINITY))
    return { at: { offset: size, size }, ...nothing };
  // Serving only ever adds. In a file that shrank, what lies where is unknown: it is followed from its end on.
  const offset = Math.min(before?.offset ?? 0, size);
  if (offset === size) return { at: { offset, size }, ...nothing };
  if (left <= 0) return { at: { offset, size }, ...nothing, more: true };
  const wanted = Math.min(left, size - offset);
  const bytes = await readBytes(path, offset, wanted);
  if (bytes === undefined) return undefined;
  const end = bytes.lastIndexOf(LINE_FEED) + 1;
  const { lines, notSampled } = linesOf(bytes.subarray(0, end), options.draw);
  const isAll = offset + bytes.byteLength >= size;
  const isTooLong = end === 0 && bytes.byteLength >= options.bytesMax;
  const isTorn = isAll && end < bytes.byteLength && options.nowMs - mtimeMs > TORN_MS;
  const passed = isTooLong || isTorn ? bytes.byteLength : end;
  return {
    at: { offset: offset + passed, size },
    ...{ lines, notSampled },
    torn: isTooLong || isTorn ? 1 : 0,
    bytes: passed,
    more: !isAll,
  };
}

const LINE_FEED = 10;
const LOSS = Buffer.from(LOSS_LINE_START);

/** Serving begins with an empty line after a write that broke off. What it says of losses is always read. */
function linesOf(bytes: Buffer, draw: TailOptions["draw"]): Pick<FileRead, "lines" | "notSampled"> {
  if (bytes.byteLength === 0) return { lines: [], notSampled: 0 };
  if (draw === undefined) {
    const lines = bytes.toString("utf8", 0, bytes.byteLength - 1).split("\n");
    return { lines: lines.filter((line) => line !== ""), notSampled: 0 };
  }
  const lines: string[] = [];
  let notSampled = 0;
  // A line that is passed over is not made a text: that is what reading costs.
  for (let start = 0, end = 0; start < bytes.byteLength; start = end + 1) {
    end = bytes.indexOf(LINE_FEED, start);
    if (end === start) continue;
    if (bytes.subarray(start, start + LOSS.byteLength).equals(LOSS) || draw())
      lines.push(bytes.toString("utf8", start, end));
    else notSampled += 1;
  }
  return { lines, notSampled };
}

async function readBytes(path: string, offset: number, length: number): Promise<Buffer | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    return unlessGone(error);
  } finally {
    await file?.close();
  }
}

async function captureFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(".jsonl")).sort();
  } catch (error) {
    unlessGone(error);
    return [];
  }
}

function unlessGone(error: unknown): undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw error;
}

/** How the data plane names a tenant's folder. */
export function captureFolder(root: string, at: { tenant: string; environment: string; name: string }): string {
  return join(root, encodeURIComponent(at.tenant).replaceAll(".", "%2E"), `${at.environment}-${at.name}`);
}
