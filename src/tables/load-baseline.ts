import { Worker } from "node:worker_threads";
import { ContinuumError, type Parsed } from "../core/error.ts";
import type { ProfileOptions } from "../core/monitor/dataset/dataset-profiler.ts";
import type { BaselineRequest, ThreadMessage } from "./baseline-thread.ts";
import { type Baseline, readBaseline } from "./read-baseline.ts";
import type { TableLimits } from "./read-table.ts";
import { parsedTable } from "./table-error.ts";

/** What a baseline that somebody imported may take: it is a stranger's file, and a small one can unpack to anything. */
const LIMITS: TableLimits = { rowsMax: 5_000_000, cellsMax: 50_000_000, unpackedBytesMax: 1024 * 1024 * 1024 };
export const BASELINE_BYTES_MAX = 256 * 1024 * 1024;
const HEAP_MB_MAX = 512;
/** So much text is read faster than a thread starts; a packed file may unpack to anything. */
const IN_PLACE_BYTES_MAX = 128 * 1024;
/** Each line of JSON may bring another column, so that the cells grow by the square of the bytes. */
const JSON_IN_PLACE_BYTES_MAX = 8 * 1024;
/** With so many seconds for every MiB besides: a file that leads its reader in circles is given up soon. */
const SECONDS_MIN = 10;
const SECONDS_PER_MIB = 1;

/** Sources run as they are and a package runs compiled: the thread's file has this file's own extension. */
export const THREAD_ENTRY = new URL(
  `./baseline-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`,
  import.meta.url,
);

/**
 * The profiles of a baseline artifact: a table (CSV, JSON Lines, Parquet) or a statistics.json. It is read in a thread
 * of its own, with bounded memory and time, so that no file keeps a process from its other work or ends it. A file that
 * cannot be read is a problem in one line; it holds nothing of the table.
 */
export async function loadBaseline(
  bytes: Uint8Array,
  {
    secondsMax = SECONDS_MIN + (SECONDS_PER_MIB * bytes.length) / 1024 ** 2,
    ...options
  }: ProfileOptions & TableLimits & { secondsMax?: number } = {},
): Promise<Parsed<Baseline>> {
  if (bytes.length > BASELINE_BYTES_MAX)
    return refused(
      `a baseline has at most ${BASELINE_BYTES_MAX} bytes, and this one has ${bytes.length}; a sample of it will do`,
    );
  const request: BaselineRequest = { bytes, options: { ...LIMITS, ...options } };
  if (bytes.length <= inPlaceBytesMax(bytes) && !isPacked(bytes))
    return parsedTable(() => readBaseline(bytes, request.options));
  const thread = new Worker(THREAD_ENTRY, {
    workerData: request,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    // Nothing of the process's secrets is needed for reading a table.
    env: {},
    stdin: false,
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Parsed<Baseline>>((resolve, reject) => {
      timer = setTimeout(
        () => resolve(refused(`it cannot be read within ${secondsMax.toFixed(0)} s`)),
        secondsMax * 1000,
      );
      thread.once("message", (said: ThreadMessage<Baseline>) => {
        if ("answer" in said) resolve(said.answer);
      });
      thread.once("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ERR_WORKER_OUT_OF_MEMORY")
          resolve(refused(`it needs more than ${HEAP_MB_MAX} MiB to be read`));
        else reject(error);
      });
      thread.once("exit", () => reject(new ContinuumError("baseline-unread", "the thread ended without an answer")));
    });
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}

function inPlaceBytesMax(bytes: Uint8Array): number {
  const start = Buffer.from(bytes.subarray(0, JSON_IN_PLACE_BYTES_MAX)).toString("latin1");
  return /^[\s\u00ef\u00bb\u00bf]*\{/.test(start) ? JSON_IN_PLACE_BYTES_MAX : IN_PLACE_BYTES_MAX;
}

/** Parquet or gzip. */
function isPacked(bytes: Uint8Array): boolean {
  return (bytes[0] === 0x1f && bytes[1] === 0x8b) || Buffer.from(bytes.subarray(0, 4)).toString("latin1") === "PAR1";
}

function refused(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
