import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Parsed } from "../../../core/error.ts";
import { compareBias } from "../../../core/monitor/bias/bias-drift.ts";
import { biasAnalysis, biasViolations, readBiasAnalysis } from "../../../core/monitor/bias/bias-files.ts";
import { biasMetrics } from "../../../core/monitor/bias/bias-metrics.ts";
import { flipTest } from "../../../core/monitor/bias/flip-test.ts";
import type { Estimate } from "../../../core/monitor/quality/estimate.ts";
import {
  qualityConstraints,
  qualityStatistics,
  qualityViolations,
  readQualityConstraints,
} from "../../../core/monitor/quality/quality-files.ts";
import { areaErrorMax } from "../../../core/monitor/quality/score-curves.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { fileError, pathOf, readTextInput } from "../files.ts";
import { type MeasuredTable, measureTable } from "../measure-table.ts";
import { textTable } from "../text-table.ts";

const CONFIDENCE = 0.95;
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** Quality and bias of a table. Exit code 0, or 2 where something is worse than the baseline's constraints allow. */
export async function monitorQuality(context: CommandContext): Promise<number> {
  const table = await measureTable(context);
  const quality = table.quality.metrics(CONFIDENCE);
  const bias =
    table.bias === null
      ? null
      : biasMetrics(table.bias.tally, { confidence: CONFIDENCE, flipTest: flipTest(table.bias.rows, CONFIDENCE) });
  const folder = context.text("report");
  if (folder !== undefined) {
    await write(context, { folder, name: "statistics.json", content: qualityStatistics(table.quality) });
    await write(context, { folder, name: "constraints.json", content: qualityConstraints(table.quality) });
    if (bias !== null && table.bias !== null) {
      const { facet } = table.bias;
      const content = biasAnalysis(bias, { label: context.text("label") ?? "", facet, value: "(not favoured)" });
      await write(context, { folder, name: "analysis.json", content });
    }
  }
  const violations = await violationsOf(context, { table, bias });
  if (folder !== undefined && violations !== null)
    await write(context, { folder, name: "constraint_violations.json", content: { violations } });
  const areaError = areaErrorMax(table.quality.scores);
  const result = { rows: table.quality.labelled, quality, bias, areaErrorMax: areaError, violations };
  await context.show(result, () => text(context, { table, quality, bias, violations, areaError }));
  return violations === null || violations.length === 0 ? EXIT.ok : EXIT.denied;
}

type Violation = Record<string, unknown> & { metric_name: string; description: string };

/** null where there is no baseline to be compared with. */
async function violationsOf(
  context: CommandContext,
  { table, bias }: { table: MeasuredTable; bias: Parameters<typeof compareBias>[0] | null },
): Promise<Violation[] | null> {
  const folder = context.text("baseline");
  if (folder === undefined) return null;
  const constraints = await readJson(context, { folder, name: "constraints.json", read: readQualityConstraints });
  if (constraints.problem !== table.quality.problem)
    throw malformed(
      `constraints of a ${constraints.problem} problem`,
      `--baseline ${folder}`,
      "must be of this problem",
    );
  const ofQuality: Violation[] = qualityViolations(table.quality, constraints).violations;
  if (bias === null || table.bias === null) return ofQuality;
  const { facet, favoured } = table.bias;
  const baseline = await readJson(context, {
    ...{ folder, name: "analysis.json", read: (json: unknown) => readBiasAnalysis(json, facet) },
  });
  // Every metric that both have, as SageMaker's bias monitor does it: no farther from fair than it was.
  const thresholds = Object.fromEntries(Object.keys(baseline).map((name) => [name, 0]));
  const compared = compareBias(bias, { baseline, thresholds, confidence: CONFIDENCE });
  return [...ofQuality, ...biasViolations(compared, { facet, favoured }).violations];
}

async function readJson<T>(
  context: CommandContext,
  { folder, name, read }: { folder: string; name: string; read(json: unknown): Parsed<T> },
): Promise<T> {
  const file = join(folder, name);
  const content = await readTextInput(context, { file, where: "--baseline", bytesMax: FILE_BYTES_MAX });
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch {
    throw malformed("not JSON", `--baseline ${file}`, "must be a file of a model quality baseline");
  }
  const parsed = read(json);
  if (parsed.ok) return parsed.value;
  throw malformed(`${parsed.problem.path} ${parsed.problem.message}`.trim(), `--baseline ${file}`, "");
}

async function write(
  context: CommandContext,
  { folder, name, content }: { folder: string; name: string; content: object },
): Promise<void> {
  const path = pathOf(context, folder);
  try {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, name), `${JSON.stringify(content, null, 2)}\n`);
  } catch (error) {
    throw fileError(error, { file: join(folder, name), where: "--report" });
  }
}

function text(
  context: CommandContext,
  of: {
    table: MeasuredTable;
    quality: Record<string, Estimate>;
    bias: Record<string, Estimate> | null;
    violations: Violation[] | null;
    areaError: number;
  },
): string {
  const rows = [...Object.entries(of.quality), ...Object.entries(of.bias ?? {})];
  const shown = textTable(
    rows,
    [
      { heading: "METRIC", value: ([name]) => name },
      { heading: "VALUE", value: ([, { value, reason }]) => (value === null ? `none: ${reason}` : round(value)) },
      { heading: "FROM", value: ([, { interval }]) => (interval === null ? null : round(interval.low)) },
      { heading: "TO (95 %)", value: ([, { interval }]) => (interval === null ? null : round(interval.high)) },
    ],
    "",
  );
  const area = of.areaError === 0 ? "" : `auc may be off by ${round(of.areaError)}: its scores are in bins\n`;
  const sum = `${of.table.quality.labelled} labelled answers\n`;
  if (of.violations === null) return `${shown}${area}${sum}`;
  const worse = of.violations.map(({ description, metric_name: name }) => `${name}: ${description}\n`).join("");
  const verdict = worse === "" ? context.paint.good("NO VIOLATION") : context.paint.bad("VIOLATIONS");
  return `${shown}${area}${verdict}\n${worse}${sum}`;
}

function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}
