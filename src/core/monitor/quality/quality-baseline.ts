import type { MonitorSettings } from "../../plan/monitor-settings.ts";
import { BiasTally, type BiasTallyState, sameValue } from "../bias/bias-tally.ts";
import { type ModelAnswer, predictedPositive, QualityTally, type QualityTallyState } from "./quality-tally.ts";

/** What a baseline says of quality and bias, for whoever keeps it; null where the plan or the table has nothing of it. */
export interface QualityBaseline {
  quality: QualityTallyState | null;
  bias: BiasTallyState | null;
}

/** One row of a baseline's table: its label, what a model answered for it, and to whom it belongs. */
export interface BaselineRow extends ModelAnswer {
  label: string | null;
  facet: string | null;
  group: string | null;
}

/**
 * Counts of a baseline's table, read row by row in bounded memory. A table without the model's answers still gives the
 * bias of its labels; quality needs labels and answers both.
 */
export class QualityBaselineBuilder {
  readonly #settings: MonitorSettings;
  readonly #quality: QualityTally | null;
  readonly #bias: BiasTally | null;

  constructor(settings: MonitorSettings) {
    this.#settings = settings;
    this.#quality = settings.modelQuality === null ? null : new QualityTally(settings.modelQuality);
    this.#bias = settings.bias === null ? null : new BiasTally(settings.bias.favoured);
  }

  add(row: BaselineRow): void {
    const { label, facet, group } = row;
    if (this.#quality !== null && (row.predicted ?? row.value ?? row.score) !== null) {
      this.#quality.addAnswer(row);
      if (label !== null) this.#quality.addLabel(row, label);
    }
    if (this.#bias === null) return;
    const answer = { facet, group, predictedPositive: outcomeOf(this.#settings, row) };
    this.#bias.addAnswer(answer);
    if (label !== null) this.#bias.addLabel(answer, labelOf(this.#settings, label));
  }

  finish(): QualityBaseline {
    return {
      quality: this.#quality !== null && this.#quality.labelled > 0 ? this.#quality.toState() : null,
      bias: this.#bias?.toState() ?? null,
    };
  }
}

/**
 * Whether an answer is the outcome that is wanted (`bias.positive`). The score decides only where it is the probability
 * of that very class.
 */
export function outcomeOf({ modelQuality, bias }: MonitorSettings, answer: ModelAnswer): boolean | null {
  if (bias === null) return null;
  const { positive } = bias;
  if (modelQuality === null || modelQuality.problem === "binary") {
    const reading = {
      positive: modelQuality?.positive ?? positive,
      decisionThreshold: modelQuality?.decisionThreshold ?? 0.5,
    };
    const isPositive = predictedPositive(reading, answer);
    return isPositive === null || sameValue(reading.positive, positive) ? isPositive : !isPositive;
  }
  const answered = answer.predicted ?? (answer.value === null ? null : String(answer.value));
  return answered === null ? null : sameValue(answered, positive);
}

/** A label as the fairness metrics count it. */
export function labelOf({ bias }: MonitorSettings, label: string): { isPositive: boolean; name: string } {
  const isPositive = bias !== null && sameValue(label, bias.positive);
  return { isPositive, name: isPositive ? "positive" : label };
}
