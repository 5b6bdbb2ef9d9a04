import { type QualityBaseline, QualityBaselineBuilder } from "../../core/monitor/quality/quality-baseline.ts";
import { categoryOf, numberOf } from "../../core/monitor/sketch/cell-value.ts";
import type { MonitorSettings } from "../../core/plan/monitor-settings.ts";
import { loadBaseline } from "../../tables/load-baseline.ts";
import type { Baseline } from "../../tables/read-baseline.ts";
import type { ProfileBaseline } from "./baseline-book.ts";

/** A baseline artifact's columns, and what its rows say of quality and bias. */
export const profileBaseline: ProfileBaseline = async (bytes, settings) => {
  const { modelQuality, bias } = settings;
  const asked = [
    ...[modelQuality?.label, modelQuality?.prediction, modelQuality?.probability, bias?.facet, bias?.group],
  ].flatMap((name) => name ?? []);
  const loaded = await loadBaseline(bytes, { answers: asked });
  if (!loaded.ok) return loaded;
  const { profiles, answers } = loaded.value;
  return { ok: true, value: { profiles, quality: qualityOf(answers, settings) } };
};

function qualityOf({ names, rows }: Baseline["answers"], settings: MonitorSettings): QualityBaseline | null {
  const { modelQuality, bias } = settings;
  if ((modelQuality === null && bias === null) || rows.length === 0) return null;
  const places = new Map(names.map((name, at) => [name, at]));
  const cellAt = (row: readonly unknown[], name: string | null | undefined) => {
    const place = name == null ? undefined : places.get(name);
    return place === undefined ? null : row[place];
  };
  const textAt = (row: readonly unknown[], name: string | null | undefined) => categoryOf(cellAt(row, name)) ?? null;
  const numberAt = (row: readonly unknown[], name: string | null | undefined) => {
    const value = numberOf(cellAt(row, name));
    return value === null || !Number.isFinite(value) ? null : value;
  };
  const builder = new QualityBaselineBuilder(settings);
  const isRegression = modelQuality?.problem === "regression";
  for (const row of rows)
    builder.add({
      label: textAt(row, modelQuality?.label),
      facet: textAt(row, bias?.facet),
      group: textAt(row, bias?.group),
      predicted: isRegression ? null : textAt(row, modelQuality?.prediction),
      value: isRegression ? numberAt(row, modelQuality?.prediction) : null,
      score: numberAt(row, modelQuality?.probability),
    });
  return builder.finish();
}
