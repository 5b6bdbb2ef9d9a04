import { parentPort, workerData } from "node:worker_threads";
import type { ProfileOptions } from "../core/monitor/dataset/dataset-profiler.ts";
import { type Baseline, readBaseline } from "./read-baseline.ts";
import type { TableLimits } from "./read-table.ts";
import { parsedTable } from "./table-error.ts";

/** What the thread is given, once. */
export interface BaselineRequest {
  bytes: Uint8Array;
  options: ProfileOptions & TableLimits;
}

const { bytes, options } = workerData as BaselineRequest;
const answer: { ok: true; value: Baseline } | { ok: false; problem: { path: string; message: string } } =
  await parsedTable(() => readBaseline(bytes, options));
parentPort?.postMessage(answer);
