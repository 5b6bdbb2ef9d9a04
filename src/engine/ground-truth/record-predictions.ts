import { BiasTally, OTHER_NAME } from "../../core/monitor/bias/bias-tally.ts";
import { outcomeOf } from "../../core/monitor/quality/quality-baseline.ts";
import type { MonitorSettings } from "../../core/plan/monitor-settings.ts";
import type { Transaction } from "../../store/database.ts";
import {
  insertPredictions,
  lockQualityState,
  type NewPrediction,
  readQualityCell,
  writeQualityCell,
  writeQualityState,
} from "../../store/queries/ground-truth.ts";
import type { PredictionBatch, PredictionRow } from "./prediction-row.ts";
import { QualityCell } from "./quality-cell.ts";
import { qualityStateOf } from "./quality-state.ts";
import { HOUR_MS, keptPerHour, Sampler } from "./sampling.ts";

/** Nobody tells the truth of more rows of one request; the others are counted and not kept. */
const TRUTHS_OF_REQUEST_MAX = 1000;

/**
 * Keeps what was answered until its truth is known, and counts at once what needs no truth. In the transaction that
 * stores how far the capture was read, so that nothing is counted twice. Does nothing for a plan without quality or bias.
 */
export async function recordPredictions(
  tx: Transaction,
  { at, rollout, settings, rows }: PredictionBatch,
): Promise<void> {
  if ((settings.modelQuality === null && settings.bias === null) || rows.length === 0) return;
  // One reading may hold more rows than a call may have arguments.
  const atMs = rows.reduce((newest, row) => Math.max(newest, row.atMs), 0);
  const state = qualityStateOf(await lockQualityState(tx, at, { rollout, atMs }));
  const sampler = new Sampler(state.sampling, {
    nowMs: atMs,
    perHour: keptPerHour(settings.modelQuality?.horizonSeconds ?? 0),
  });
  const read = rows.map((row) => readable(row, settings));
  const wanted = new Set(sampler.sample(read.filter(({ row }) => row < TRUTHS_OF_REQUEST_MAX)));
  let keptAll = 0;
  for (const [key, part] of byCell(read, rollout)) {
    const { arm, hourMs } = key;
    const cell = await cellOf(tx, { at, rollout, arm, hourMs, settings });
    for (const row of part) {
      cell.quality?.addAnswer(row);
      cell.bias?.addAnswer({ facet: row.facet, group: row.group, predictedPositive: outcomeOf(settings, row) });
    }
    const sampled = part.filter((row) => wanted.has(row));
    const kept = sampled.length === 0 ? 0 : await insertPredictions(tx, at, { rollout, rows: sampled });
    keptAll += kept;
    cell.coverage.seen += part.length;
    cell.coverage.kept += kept;
    state.totals[arm].seen += part.length;
    state.totals[arm].kept += kept;
    state.reusedIds += sampled.length - kept;
    await storeCell(tx, { at, rollout, arm, hourMs, cell });
  }
  sampler.add(keptAll);
  await writeQualityState(tx, at, { rollout, state: { ...state, sampling: sampler.state }, atMs });
}

type Arm = "candidate" | "stable";
interface CellPlace {
  at: PredictionBatch["at"];
  rollout: string;
  arm: Arm;
  hourMs: number;
}

export async function cellOf(tx: Transaction, of: CellPlace & { settings: MonitorSettings }): Promise<QualityCell> {
  const bytes = await readQualityCell(tx, of.at, of);
  return bytes === undefined ? QualityCell.empty(of.settings) : QualityCell.decode(of.settings, bytes);
}

export async function storeCell(
  tx: Transaction,
  { at, cell, ...place }: CellPlace & { cell: QualityCell },
): Promise<void> {
  const labelled = cell.quality?.labelled ?? cell.coverage.matched;
  await writeQualityCell(tx, at, { ...place, labelled, cell: cell.encode() });
}

/** By side and hour: the rollout's own version is the candidate, any other the one that it is compared with. */
export function byCell<Row extends { variant: string; atMs: number }>(
  rows: readonly Row[],
  rollout: string,
): Map<{ arm: Arm; hourMs: number }, Row[]> {
  const keys = new Map<string, { arm: Arm; hourMs: number }>();
  const cells = new Map<{ arm: Arm; hourMs: number }, Row[]>();
  for (const row of rows) {
    const place = {
      arm: row.variant === rollout ? "candidate" : "stable",
      hourMs: Math.floor(row.atMs / HOUR_MS) * HOUR_MS,
    } as const;
    const name = `${place.arm}/${place.hourMs}`;
    const key = keys.get(name) ?? place;
    keys.set(name, key);
    const part = cells.get(key);
    if (part === undefined) cells.set(key, [row]);
    else part.push(row);
  }
  return cells;
}

const TEXT_MAX = 256;

/**
 * What can be counted of an answer: a score that is no probability is none, and of the facet no more is kept than the
 * side it means, because the value itself is often what a person would not want to be written down.
 */
function readable(row: PredictionRow, { bias }: MonitorSettings): NewPrediction {
  const { inference, row: number, variant, candidateProbability: probability, atMs, value, score } = row;
  const isShare = score !== null && score >= 0 && score <= 1;
  return {
    ...{ inference, row: number, variant, probability, atMs },
    predicted: row.predicted?.slice(0, TEXT_MAX) ?? null,
    value: value !== null && Number.isFinite(value) ? value : null,
    score: isShare ? score : null,
    facet: row.facet === null || bias === null ? null : sideName(row.facet, bias.favoured),
    group: bias?.group === null ? null : (row.group?.slice(0, TEXT_MAX) ?? null),
  };
}

function sideName(facet: string, favoured: readonly string[]): string {
  const [first = OTHER_NAME] = favoured;
  return new BiasTally(favoured).sideOf(facet) === "favoured" ? first : OTHER_NAME;
}
