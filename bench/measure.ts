import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** What a figure is held to. Of a ratio aim, the limit is a multiple of the peer's value. */
export type Aim = { below: number } | { above: number } | { ratioBelow: number } | { ratioAbove: number };

/** One measured figure beside what a peer did in the same run. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** Who the peer is; why there is none when `peerValue` is null. */
  peer: string;
  peerValue: number | null;
  /** Null where nothing was promised. */
  aim: Aim | null;
}

export interface BenchOptions {
  /** Fewer rounds, for a look within two minutes. */
  quick: boolean;
  /** Progress for the person who waits. */
  say(line: string): void;
}

/** One file of measurements. Throws when what it measures did not happen. */
export type Measurement = (options: BenchOptions) => Promise<Figure[]>;

/** A measurement that did not happen is an error and never a figure. */
export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`what was to be measured did not happen: ${what}`);
}

/** The value below which this share of the samples lies, by the nearest rank. */
export function quantile(samples: readonly number[], share: number): number {
  must(samples.length > 0, "there is at least one sample");
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** A clock that all processes of this machine share, in milliseconds. */
export function sharedClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Numbers in [0, 1) that are the same in every run (Mulberry32), so that two runs measure the same inputs. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Waits until it is so; an error that says what did not happen after `msMax`. */
export async function until(
  what: string,
  is: () => Promise<boolean> | boolean,
  options: { msMax?: number; everyMs?: number } = {},
): Promise<void> {
  const endMs = Date.now() + (options.msMax ?? 30_000);
  while (!(await is())) {
    must(Date.now() < endMs, what);
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 5));
  }
}

/** A folder for one measurement that goes with it. A database of another user has to walk through it. */
export async function scratchFolder(name: string): Promise<{ path: string; remove(): void }> {
  const path = mkdtempSync(join(tmpdir(), `continuum-bench-${name}-`));
  await chmod(path, 0o711);
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

const servers = new Set<number>();
process.once("exit", () => {
  for (const pid of servers) process.kill(pid, "SIGINT");
});

/** A database is no child that falls with its parent: one that is not ended yet is ended when this process goes. */
export function endWithUs(pid: number): { ended(): void } {
  servers.add(pid);
  return { ended: () => void servers.delete(pid) };
}

/** Where a program is installed; undefined when it is not. Daemons lie where an ordinary user's PATH does not look. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

export function versionOf(program: string, flag: string): string {
  // Some write their version to standard error.
  const said = execFileSync("/bin/sh", ["-c", `"$0" ${flag} 2>&1 || true`, program], { encoding: "utf8" });
  return /\d+\.\d+(\.\d+)?/.exec(said)?.[0] ?? "of an unknown version";
}

/** The process and all its descendants. Linux only, as are the figures of a process below. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    const parent = Number.isInteger(pid) ? parentOf(pid) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function parentOf(pid: number): number | undefined {
  const fields = statOf(pid);
  return fields === undefined ? undefined : Number(fields[1]);
}

/** The fields of /proc/PID/stat from the state on; the name before them may hold anything. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/**
 * Proportional set size of these processes together: memory that they share counts once. One that ended meanwhile, as
 * a background process of a database does, has none.
 */
export function pssMebibytes(pids: readonly number[]): number {
  const kilobytes = pids.map((pid) => {
    try {
      return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
    } catch {
      return 0;
    }
  });
  const total = kilobytes.reduce((sum, one) => sum + one, 0);
  must(total > 0, "the kernel tells the memory of the processes");
  return total / 1024;
}

const CLOCK_TICKS_PER_SECOND = 100;

/** Processor time that the process has used so far, in seconds; 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  const fields = statOf(pid);
  return fields === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

/** Processor use of these processes over a while, in percent of one processor. */
export async function cpuPercent(pids: readonly number[], seconds: number): Promise<number> {
  const before = new Map(pids.map((pid) => [pid, cpuSeconds(pid)]));
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  // One that ended meanwhile took its count with it; what it had used by then is not ours to guess.
  const used = pids.map((pid) => Math.max(0, cpuSeconds(pid) - (before.get(pid) ?? 0)));
  return (used.reduce((sum, one) => sum + one, 0) / (performance.now() - startMs)) * 100_000;
}
