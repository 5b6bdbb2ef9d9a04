import { parentPort, workerData } from "node:worker_threads";
import type { Parsed } from "../core/error.ts";
import type { ProfileOptions, TableProfile } from "../core/monitor/dataset/dataset-profiler.ts";
import { type Baseline, profileTable, readBaseline } from "./read-baseline.ts";
import type { TableLimits } from "./read-table.ts";
import { parsedTable } from "./table-error.ts";
import { fileSource, watchedSource } from "./table-source.ts";

/** What the thread is given, once: the bytes of a baseline, or where a table is. */
export type BaselineRequest =
  | { bytes: Uint8Array; options: ProfileOptions & TableLimits }
  | { path: string; options: ProfileOptions & TableLimits };

/** What it says: of a table's file how far it is, and at the end what came of it. */
export type ThreadMessage<T> = { read: { readBytes: number; sizeBytes: number } } | { answer: Parsed<T> };

const request = workerData as BaselineRequest;
const say = (message: ThreadMessage<Baseline | TableProfile>) => parentPort?.postMessage(message);
if ("bytes" in request) say({ answer: await parsedTable(() => readBaseline(request.bytes, request.options)) });
else {
  const source = await fileSource(request.path);
  const watched = watchedSource(source, (read) => say({ read }));
  say({ answer: await parsedTable(() => profileTable(watched, request.options)) });
  await source.close();
}
