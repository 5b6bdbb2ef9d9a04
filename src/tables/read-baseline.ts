import type { AnswerRows } from "../core/monitor/dataset/answer-sample.ts";
import type { ProfileOptions, TableProfile } from "../core/monitor/dataset/dataset-profiler.ts";
import { DatasetProfiler } from "../core/monitor/dataset/dataset-profiler.ts";
import type { ColumnFacts } from "../core/monitor/dataset/feature-statistics.ts";
import { factsOfStatistics, profilesOfStatistics } from "../core/monitor/dataset/profiles-of-statistics.ts";
import { type DatasetStatistics, readStatistics } from "../core/monitor/dataset/statistics-file.ts";
import type { ColumnProfile } from "../core/monitor/sketch/column-profile.ts";
import { readTable, type TableLimits } from "./read-table.ts";
import { tableError } from "./table-error.ts";
import { bytesSource, type TableSource } from "./table-source.ts";

/** What the monitor compares with, from a table of rows or from the statistics of one. */
export interface Baseline {
  from: "table" | "statistics";
  rows: number;
  profiles: ColumnProfile[];
  columns: ColumnFacts[];
  statistics: DatasetStatistics;
  /** Of the asked columns; statistics know no rows, so then there are none. */
  answers: AnswerRows;
}

/** One pass over a table from its beginning to its end. Errors: `malformed`, `too-large`. */
export async function profileTable(
  source: TableSource,
  options: ProfileOptions & TableLimits = {},
): Promise<TableProfile> {
  const profiler = new DatasetProfiler(options);
  for await (const batch of readTable(source, options)) profiler.add(batch);
  if (profiler.rows === 0) throw tableError("malformed", "the table has no row");
  return profiler.finish();
}

/** A table in any form that `readTable` knows, or a statistics.json. Errors: `malformed`, `too-large`. */
export async function readBaseline(bytes: Uint8Array, options: ProfileOptions & TableLimits = {}): Promise<Baseline> {
  const text = statisticsText(bytes);
  if (text === null) {
    const { rows, profiles, columns, statistics, answers } = await profileTable(bytesSource(bytes), options);
    return { from: "table", rows, profiles, columns, statistics, answers };
  }
  const read = readStatistics(text);
  if (!read.ok) throw tableError("malformed", read.problem.message);
  const statistics = read.value;
  const profiles = profilesOfStatistics(statistics);
  if (!profiles.ok) throw tableError("malformed", profiles.problem.message);
  const rows = statistics.dataset.item_count;
  const answers = { names: [], rows: [], of: rows };
  return {
    from: "statistics",
    rows,
    profiles: profiles.value,
    columns: factsOfStatistics(statistics),
    statistics,
    answers,
  };
}

const FIRST_BYTES = 64 * 1024;
const KEYS = /"(version|dataset|features)"\s*:\s*[\d{[]/;

/**
 * The text when it is a statistics.json and no line of a table: its first object has the three keys and ends the text.
 * A table of JSON Lines is told apart by its first line, which is an object by itself and holds no lists.
 */
function statisticsText(bytes: Uint8Array): string | null {
  const first = new TextDecoder().decode(bytes.subarray(0, FIRST_BYTES)).trimStart();
  if (!first.startsWith("{") || !KEYS.test(first)) return null;
  const [line = ""] = first.split("\n", 1);
  if (isFlatObject(line)) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function isFlatObject(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return Object.values(value as object).every((inner) => typeof inner !== "object" || inner === null);
  } catch {
    return false;
  }
}
