import { open } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { ContinuumError, type Parsed } from "../core/error.ts";
import type { ProfileOptions, TableProfile } from "../core/monitor/dataset/dataset-profiler.ts";
import type { BaselineRequest, ThreadMessage } from "./baseline-thread.ts";
import { THREAD_ENTRY } from "./load-baseline.ts";
import { profileTable } from "./read-baseline.ts";
import { parsedTable } from "./table-error.ts";
import { fileSource, watchedSource } from "./table-source.ts";

/** However large a table is, so long nothing takes between two looks into its file. */
const SILENT_SECONDS_MAX = 120;

interface ProfileFileOptions extends ProfileOptions {
  /** Told how far it is. */
  onRead(read: { readBytes: number; sizeBytes: number }): void;
  silentSecondsMax?: number;
}

/**
 * The profile of a table that somebody named, however large it is. A Parquet file can lead its reader in circles, which
 * nothing ends from within: it is read in a thread, which is given up when it gets no further. Errors: those of the
 * file system.
 */
export async function profileFile(
  path: string,
  { onRead, silentSecondsMax = SILENT_SECONDS_MAX, ...options }: ProfileFileOptions,
): Promise<Parsed<TableProfile>> {
  if (await isParquet(path)) return profileInThread({ path, options }, { onRead, silentSecondsMax });
  const source = await fileSource(path);
  try {
    return await parsedTable(() => profileTable(watchedSource(source, onRead), options));
  } finally {
    await source.close();
  }
}

async function profileInThread(
  request: BaselineRequest,
  { onRead, silentSecondsMax }: Required<Pick<ProfileFileOptions, "onRead" | "silentSecondsMax">>,
): Promise<Parsed<TableProfile>> {
  const thread = new Worker(THREAD_ENTRY, { workerData: request, env: {}, stdin: false });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Parsed<TableProfile>>((resolve, reject) => {
      const message = `it gets no further for ${silentSecondsMax} s: a part of it is damaged`;
      timer = setTimeout(() => resolve({ ok: false, problem: { path: "", message } }), silentSecondsMax * 1000);
      thread.on("message", (said: ThreadMessage<TableProfile>) => {
        timer?.refresh();
        if ("read" in said) onRead(said.read);
        else resolve(said.answer);
      });
      thread.once("error", reject);
      thread.once("exit", () => reject(new ContinuumError("table-unread", "the thread ended without an answer")));
    });
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}

async function isParquet(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString("latin1", 0, bytesRead) === "PAR1";
  } finally {
    await file.close();
  }
}
