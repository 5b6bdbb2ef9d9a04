import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { type Failure, writeFailure } from "./failure-file.ts";
import type { FuzzTarget, OpenTarget } from "./fuzz-target.ts";

export interface FuzzReport {
  target: string;
  seed: number;
  inputs: number;
  /** How many inputs ended how: `taken`, or the code of a refusal. */
  outcomes: Record<string, number>;
  failures: (Failure & { file: string | null })[];
  seconds: number;
  /** The slowest input, in milliseconds of processor time, and its size. */
  worstMs: number;
  worstBytes: number;
  memory: Memory;
}

interface Memory {
  /** Of this process's heap after a collection, from a fifth of the run to its end. */
  heapGrowthBytes: number;
  rssBytes: number;
  /** Of the processes that work for the target, together; null where there are none or the system does not tell. */
  othersBytes: number | null;
}

const CHUNK_INPUTS = 500;
const CHUNK_MS_MAX = 120_000;
/** Generous: what is quadratic passes it by far at the sizes that are tried. */
const MICROSECONDS_PER_BYTE = 15;
const HEAP_GROWTH_BYTES_MAX = 48 * 1024 * 1024;
const RSS_GROWTH_BYTES_MAX = 192 * 1024 * 1024;
const FAILURES_MAX = 20;

/** Feeds a target so many inputs. The same seed gives the same inputs. A kind of failure is kept once, as small as it can be made. */
export async function runTarget(
  target: FuzzTarget,
  options: { inputs: number; seed: number; failureFolder?: string },
): Promise<FuzzReport> {
  const startedMs = Date.now();
  const open = await target.open();
  const feeder = new Feeder(open);
  const stopListening = listenForStrays(feeder);
  const failures: FuzzReport["failures"] = [];
  const keep = (failure: Omit<Failure, "target">) => {
    const whole = { target: target.name, ...failure };
    const file = options.failureFolder === undefined ? null : writeFailure(options.failureFolder, whole);
    failures.push({ ...whole, file });
  };
  try {
    let early: Memory | undefined;
    for (let chunk = 0; feeder.inputs < options.inputs && failures.length < FAILURES_MAX; chunk += 1) {
      const seed = options.seed + chunk;
      const numRuns = Math.min(CHUNK_INPUTS, options.inputs - feeder.inputs);
      const found = await feedChunk(feeder, { seed, numRuns });
      if (found !== undefined) keep({ seed, ...found });
      if (feeder.inputs >= options.inputs / 5) early ??= memoryOf(open);
    }
    const late = memoryOf(open);
    const memory = grownSince(early ?? late, late);
    const grew = memoryProblem(early ?? late, late);
    if (grew !== undefined) keep({ seed: options.seed, message: grew, input: null });
    const { inputs, outcomes, worstMs, worstBytes } = feeder;
    const seconds = (Date.now() - startedMs) / 1000;
    const sorted = Object.fromEntries([...outcomes].sort(([, a], [, b]) => b - a));
    return {
      ...{ target: target.name, seed: options.seed, inputs, outcomes: sorted, failures, seconds },
      ...{ worstMs: Math.round(worstMs * 10) / 10, worstBytes, memory },
    };
  } finally {
    stopListening();
    await open.close();
  }
}

/** Feeds one input as it stands in a failure's file; answers how it was taken, throws when it still breaks something. */
export async function replay(target: FuzzTarget, input: unknown): Promise<string> {
  const open = await target.open();
  const feeder = new Feeder(open);
  const stopListening = listenForStrays(feeder);
  try {
    return await feeder.feed(input);
  } finally {
    stopListening();
    await open.close();
  }
}

async function feedChunk(
  feeder: Feeder,
  { seed, numRuns }: { seed: number; numRuns: number },
): Promise<{ message: string; input: unknown } | undefined> {
  const property = fc.asyncProperty(feeder.open.inputs, async (input) => void (await feeder.feed(input)));
  const details = await fc.check(property, { numRuns, seed, interruptAfterTimeLimit: CHUNK_MS_MAX });
  if (!details.failed || details.counterexample === null) return undefined;
  const error = details.errorInstance;
  const message = error instanceof Error ? error.message : String(error);
  feeder.known.add(kindOf(error));
  return { message: describe(error, message), input: details.counterexample[0] };
}

function describe(error: unknown, message: string): string {
  if (!(error instanceof Error) || error.name === "Violation") return message;
  const places = (error.stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
  return `${error.name}: ${message} ${places.slice(0, 3).join(" ").replaceAll(/\s+/g, " ")}`;
}

/** Two inputs broke the same thing when they say the same but for numbers and quoted parts. */
function kindOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll(/\d+|"[^"]*"/g, "#").slice(0, 60);
}

class Feeder {
  readonly open: OpenTarget;
  readonly known = new Set<string>();
  readonly outcomes = new Map<string, number>();
  inputs = 0;
  worstMs = 0;
  worstBytes = 0;
  stray: unknown;

  constructor(open: OpenTarget) {
    this.open = open;
  }

  async feed(input: unknown): Promise<string> {
    let outcome: string;
    try {
      outcome = await this.#timed(input);
    } catch (error) {
      if (!this.known.has(kindOf(error))) throw error;
      outcome = "failed as before";
    }
    this.inputs += 1;
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    return outcome;
  }

  async #timed(input: unknown): Promise<string> {
    const bytes = this.open.bytesOf(input);
    const allowedMs = this.open.floorMs + (bytes * MICROSECONDS_PER_BYTE) / 1000;
    let { ms, outcome } = await this.#once(input);
    // A collector or a compiler may have worked at that moment: only what is slow each time is slow.
    for (let again = 0; ms > allowedMs && again < 2; again += 1) ms = Math.min(ms, (await this.#once(input)).ms);
    if (ms > this.worstMs) {
      this.worstMs = ms;
      this.worstBytes = bytes;
    }
    if (ms > allowedMs) throw new Error(`takes ${Math.round(ms)} ms of processor time for ${bytes} bytes`);
    return outcome;
  }

  async #once(input: unknown): Promise<{ ms: number; outcome: string }> {
    const before = processorMs(this.open);
    const answer = this.open.feed(input);
    const outcome = typeof answer === "string" ? answer : await answer;
    const ms = processorMs(this.open) - before;
    const { stray } = this;
    this.stray = undefined;
    if (stray !== undefined) throw new Error(`a failure that nobody caught: ${describe(stray, String(stray))}`);
    return { ms, outcome };
  }
}

function listenForStrays(feeder: Feeder): () => void {
  const note = (error: unknown) => {
    feeder.stray = error ?? "nothing";
  };
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
  return () => {
    process.off("unhandledRejection", note);
    process.off("uncaughtException", note);
  };
}

/** Of this thread and, in the kernel's ticks of 10 ms, of the processes that work for the target. */
function processorMs(open: OpenTarget): number {
  const { user, system } = process.threadCpuUsage();
  let ms = (user + system) / 1000;
  for (const pid of open.processes()) ms += ticksOf(pid) * 10;
  return ms;
}

function ticksOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}

let collect: (() => void) | undefined;

function memoryOf(open: OpenTarget): Memory {
  setFlagsFromString("--expose-gc");
  collect ??= runInNewContext("gc") as () => void;
  collect();
  const others = open.processes().map(rssOf);
  return {
    heapGrowthBytes: process.memoryUsage().heapUsed,
    rssBytes: process.memoryUsage.rss(),
    othersBytes: others.length === 0 || others.includes(null) ? null : others.reduce<number>((a, b) => a + (b ?? 0), 0),
  };
}

function rssOf(pid: number): number | null {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? null : Number(kib) * 1024;
  } catch {
    return null;
  }
}

function grownSince(early: Memory, late: Memory): Memory {
  return { ...late, heapGrowthBytes: late.heapGrowthBytes - early.heapGrowthBytes };
}

/** Memory must not follow the number of inputs: after a fifth of them it has to be about what it is at the end. */
function memoryProblem(early: Memory, late: Memory): string | undefined {
  const heap = late.heapGrowthBytes - early.heapGrowthBytes;
  if (heap > HEAP_GROWTH_BYTES_MAX) return `the heap grew by ${heap} bytes over the run`;
  if (late.rssBytes > 2 * early.rssBytes + RSS_GROWTH_BYTES_MAX)
    return `the process grew from ${early.rssBytes} to ${late.rssBytes} bytes over the run`;
  const [before, after] = [early.othersBytes, late.othersBytes];
  if (before !== null && after !== null && after > 2 * before + RSS_GROWTH_BYTES_MAX)
    return `the processes behind it grew from ${before} to ${after} bytes over the run`;
  return undefined;
}
