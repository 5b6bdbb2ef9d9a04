import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { type TruthRecord, truthRecordSchema } from "../../contract/ground-truth-operations.ts";
import { readTable } from "../../tables/read-table.ts";
import { parsedTable } from "../../tables/table-error.ts";
import { fileSource } from "../../tables/table-source.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { fileError, pathOf } from "./files.ts";

/** Which columns of a table hold what; JSON Lines name it themselves. */
export interface TruthColumns {
  id: string | undefined;
  label: string | undefined;
}

/** What is looked for where nobody said it. */
const NAMES = {
  id: ["inference_id", "inferenceId", "event_id", "eventId"],
  label: ["label", "ground_truth", "groundTruth"],
  facet: ["facet"],
  group: ["group"],
  at: ["at"],
  row: ["row"],
} as const;

/** More would be no line but a file without any. */
const LINE_MAX = 1024 * 1024;

/**
 * Labels of a file that the user named, one after the other and in little memory, whatever its size: JSON Lines in our
 * shape or in SageMaker's, or a table (CSV, Parquet) with a column of ids and one of labels. A mistake says which record
 * it is in, and nothing of what stands there.
 */
export async function* readTruthFile(
  context: CommandContext,
  { file, columns }: { file: string; columns: TruthColumns },
): AsyncGenerator<TruthRecord> {
  const path = pathOf(context, file);
  try {
    if (!(await stat(path)).isFile()) throw malformed("not an ordinary file", `-f ${file}`, "must be a file");
    yield* (await isJsonLines(path)) ? readLines(path, file) : readColumns(path, { file, columns });
  } catch (error) {
    throw fileError(error, { file, where: "-f" });
  }
}

/** A line of JSON begins with a brace, which begins no header. */
async function isJsonLines(path: string): Promise<boolean> {
  for await (const chunk of createReadStream(path, { end: 64 * 1024 })) {
    const text = (chunk as Buffer)
      .toString("latin1")
      .replace(/^\u00ef\u00bb\u00bf/, "")
      .trimStart();
    if (text !== "") return text.startsWith("{");
  }
  return false;
}

async function* readLines(path: string, file: string): AsyncGenerator<TruthRecord> {
  const lines = createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  let record = 0;
  for await (const line of lines) {
    number += 1;
    const text = line.replace(/^\uFEFF/, "").trim();
    if (text === "") continue;
    record += 1;
    yield checked(text.length > LINE_MAX ? undefined : jsonOf(text), { file, place: `line ${number}`, record });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function* readColumns(
  path: string,
  { file, columns }: { file: string; columns: TruthColumns },
): AsyncGenerator<TruthRecord> {
  const source = await fileSource(path);
  const batches = readTable(source);
  let record = 0;
  try {
    for (;;) {
      const next = await parsedTable(() => batches.next());
      if (!next.ok) throw malformed(next.problem.message, `-f ${file}`, "must be JSON Lines, CSV or Parquet");
      if (next.value.done === true) return;
      const { names, columns: cells, rows } = next.value.value;
      const places = placesOf(names, { file, columns });
      for (let at = 0; at < rows; at += 1) {
        record += 1;
        const cell = (name: keyof typeof NAMES) => {
          const place = places[name];
          return place < 0 ? undefined : (cells[place]?.[at] ?? undefined);
        };
        yield checked(recordOf(cell), { file, place: `row ${record}`, record });
      }
    }
  } finally {
    await batches.return(undefined);
    await source.close();
  }
}

function placesOf(
  names: readonly string[],
  { file, columns }: { file: string; columns: TruthColumns },
): Record<keyof typeof NAMES, number> {
  const find = (what: keyof typeof NAMES, given?: string) => {
    const wanted = given === undefined ? NAMES[what] : [given];
    const place = names.findIndex((name) => new Set<string>(wanted).has(name));
    if (place >= 0 || (what !== "id" && what !== "label")) return place;
    throw malformed(`no column ${wanted.join(" or ")} in ${file}`, `--${what}`, "must be the name of a column of it");
  };
  return {
    id: find("id", columns.id),
    label: find("label", columns.label),
    ...{ facet: find("facet"), group: find("group"), at: find("at"), row: find("row") },
  };
}

type CellValue = string | number | boolean | undefined;

/** Of a request with several rows each has a line of its own, with its place in `row`, counted from 0. */
function recordOf(cell: (name: keyof typeof NAMES) => CellValue): unknown {
  const optional = (name: "facet" | "group" | "at") => {
    const value = cell(name);
    return value === undefined || value === "" ? {} : { [name]: name === "at" ? String(value) : value };
  };
  const row = Number(cell("row") ?? 0);
  const label = cell("label");
  const isFirst = row === 0;
  const isPlace = Number.isSafeInteger(row) && row > 0 && row < 1000;
  return {
    inferenceId: String(cell("id") ?? ""),
    ...(isFirst ? { label } : { labels: isPlace ? [...Array.from({ length: row }, () => null), label] : [] }),
    ...{ ...optional("facet"), ...optional("group"), ...optional("at") },
  };
}

function checked(value: unknown, of: { file: string; place: string; record: number }): TruthRecord {
  const parsed = truthRecordSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw malformed(
    `record ${of.record} (${of.place}) of ${of.file} is no label of an inference`,
    "-f",
    'must have an id and a label, such as {"inferenceId": "a-1", "label": 1}',
  );
}
