import type { Aim, Figure } from "./measure.ts";

/** A figure as `--json` writes it. */
export interface ReportedFigure extends Omit<Figure, "aim"> {
  /** `value` over `peerValue`; null without a peer. */
  ratio: number | null;
  /** In words, such as `< 8 ms`; null where nothing was promised. */
  aim: string | null;
  /** Null where nothing was promised, or nothing to compare with was there. */
  met: boolean | null;
}

export function reported(figure: Figure): ReportedFigure {
  const { name, value, unit, peer, peerValue, aim } = figure;
  const ratio = peerValue === null || peerValue === 0 ? null : value / peerValue;
  return { name, value, unit, peer, peerValue, ratio, aim: aim && inWords(aim, unit), met: aim && isMet(figure, aim) };
}

function inWords(aim: Aim, unit: string): string {
  if ("below" in aim) return `< ${aim.below} ${unit}`;
  if ("above" in aim) return `>= ${aim.above} ${unit}`;
  return "ratioBelow" in aim ? `<= ${aim.ratioBelow} x peer` : `>= ${aim.ratioAbove} x peer`;
}

function isMet({ value, peerValue }: Figure, aim: Aim): boolean | null {
  if ("below" in aim) return value < aim.below;
  if ("above" in aim) return value >= aim.above;
  if (peerValue === null) return null;
  return "ratioBelow" in aim ? value <= aim.ratioBelow * peerValue : value >= aim.ratioAbove * peerValue;
}

const COLUMNS = ["figure", "value", "peer's", "ratio", "aim", "", "peer"] as const;

/** The table that a person reads. The ratio is ours over the peer's, so what is good depends on the figure. */
export function table(figures: readonly ReportedFigure[]): string {
  const rows = [[...COLUMNS], ...figures.map(rowOf)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const isNumber = (column: number) => column >= 1 && column <= 3;
  const line = (row: string[]) =>
    row
      .map((cell, column) => (isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}

function rowOf(figure: ReportedFigure): string[] {
  const { name, value, unit, peer, peerValue, ratio, aim, met } = figure;
  return [
    name,
    `${shown(value)} ${unit}`,
    peerValue === null ? "-" : shown(peerValue),
    ratio === null ? "-" : `${ratio.toFixed(2)}x`,
    aim ?? "-",
    met === null ? "" : met ? "met" : "MISSED",
    peer,
  ];
}

function shown(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  if (value >= 100) return value.toFixed(0);
  return value >= 1 ? value.toFixed(2) : value.toFixed(3);
}
