import { BiasTally } from "../../core/monitor/bias/bias-tally.ts";
import type { FlipTestRow } from "../../core/monitor/bias/flip-test.ts";
import { labelOf, outcomeOf } from "../../core/monitor/quality/quality-baseline.ts";
import { QualityTally } from "../../core/monitor/quality/quality-tally.ts";
import { categoryOf, numberOf } from "../../core/monitor/sketch/cell-value.ts";
import type { MonitorSettings, Problem } from "../../core/plan/monitor-settings.ts";
import { readTable } from "../../tables/read-table.ts";
import { parsedTable } from "../../tables/table-error.ts";
import { fileSource } from "../../tables/table-source.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { fileError, pathOf } from "./files.ts";

/** What a table with labels and answers comes to. */
export interface MeasuredTable {
  quality: QualityTally;
  /** With rows of both sides for the test that needs features, at most 2,000 of each. */
  bias: { tally: BiasTally; facet: string; favoured: readonly string[]; rows: FlipTestRow[] } | null;
}

const FLIP_ROWS_MAX = 2000;

/** Goes once through the table that the options name. */
export async function measureTable(context: CommandContext): Promise<MeasuredTable> {
  const file = context.text("file") ?? "";
  const settings = settingsOf(context);
  const { modelQuality, bias } = settings;
  const table: MeasuredTable = {
    quality: new QualityTally(modelQuality),
    bias:
      bias === null
        ? null
        : { tally: new BiasTally(bias.favoured), facet: bias.facet, favoured: bias.favoured, rows: [] },
  };
  if (modelQuality.prediction === null && modelQuality.probability === null)
    throw malformed("neither a prediction nor a probability", "--prediction", "must be given, or --probability");
  try {
    const source = await fileSource(pathOf(context, file));
    const batches = readTable(source);
    try {
      for (;;) {
        const next = await parsedTable(() => batches.next());
        if (!next.ok)
          throw malformed(next.problem.message, `-f ${file}`, "must be a table: CSV, JSON Lines or Parquet");
        if (next.value.done === true) return table;
        const { names, columns, rows } = next.value.value;
        const cells = (name: string | null, option: string) => columns[placeOf(names, { name, option, file })];
        const read = {
          label: cells(modelQuality.label, "--label"),
          prediction: cells(modelQuality.prediction, "--prediction"),
          probability: cells(modelQuality.probability, "--probability"),
          facet: cells(bias?.facet ?? null, "--facet"),
          group: cells(bias?.group ?? null, "--group"),
        };
        const used = new Set(Object.values(read));
        const features = columns.filter((column) => !used.has(column));
        for (let at = 0; at < rows; at += 1) {
          const row = {
            label: categoryOf(read.label?.[at]) ?? null,
            predicted: categoryOf(read.prediction?.[at]) ?? null,
            value: numberOf(read.prediction?.[at]),
            score: shareOf(read.probability?.[at]),
            facet: categoryOf(read.facet?.[at]) ?? null,
            group: categoryOf(read.group?.[at]) ?? null,
          };
          addRow(table, settings, {
            row,
            features: () => features.map((column) => numberOf(column[at]) ?? Number.NaN),
          });
        }
      }
    } finally {
      await batches.return(undefined);
      await source.close();
    }
  } catch (error) {
    throw fileError(error, { file, where: "-f" });
  }
}

type TableSettings = MonitorSettings & { modelQuality: NonNullable<MonitorSettings["modelQuality"]> };

function settingsOf(context: CommandContext): TableSettings {
  const facet = context.text("facet");
  const positive = context.text("positive") ?? "1";
  if (facet !== undefined && context.list("favoured").length === 0)
    throw malformed("no favoured value", "--favoured", "must name the facet's values that are in advantage");
  return {
    ...{ baseline: null, dataDrift: null, watch: { seconds: 0, onAlarm: "ask" } },
    modelQuality: {
      ...{ label: context.text("label") ?? "", positive, decisionThreshold: 0.5, horizonSeconds: 0, labelledMin: 1 },
      problem: (context.text("problem") ?? "binary") as Problem,
      prediction: context.text("prediction") ?? null,
      probability: context.text("probability") ?? null,
      thresholds: {},
    },
    bias:
      facet === undefined
        ? null
        : {
            ...{ facet, favoured: context.list("favoured"), positive, rowsMin: 1, thresholds: {} },
            group: context.text("group") ?? null,
          },
  };
}

interface TableRow {
  label: string | null;
  predicted: string | null;
  value: number | null;
  score: number | null;
  facet: string | null;
  group: string | null;
}

function addRow(
  table: MeasuredTable,
  settings: TableSettings,
  { row, features }: { row: TableRow; features(): number[] },
): void {
  table.quality.addAnswer(row);
  if (row.label !== null) table.quality.addLabel(row, row.label);
  if (table.bias === null) return;
  const predictedPositive = outcomeOf(settings, row);
  const answer = { facet: row.facet, group: row.group, predictedPositive };
  table.bias.tally.addAnswer(answer);
  if (row.label !== null) table.bias.tally.addLabel(answer, labelOf(settings, row.label));
  if (row.facet === null || predictedPositive === null || table.bias.rows.length >= 2 * FLIP_ROWS_MAX) return;
  const isFavoured = table.bias.tally.sideOf(row.facet) === "favoured";
  const own = features();
  // A distance needs every feature to be a number.
  if (own.length > 0 && own.every(Number.isFinite))
    table.bias.rows.push({ features: own, isFavoured, predictedPositive });
}

function shareOf(cell: unknown): number | null {
  const value = numberOf(cell);
  return value !== null && value >= 0 && value <= 1 ? value : null;
}

/** -1 where none was asked for. */
function placeOf(
  names: readonly string[],
  { name, option, file }: { name: string | null; option: string; file: string },
): number {
  const place = name === null ? -1 : names.indexOf(name);
  if (name !== null && place < 0)
    throw malformed(`no column ${JSON.stringify(name.slice(0, 64))} in ${file}`, option, "must be a column of it");
  return place;
}
