import type { AlarmFigure } from "../../core/monitor/alarm/evaluation.ts";
import type { DriftDecision } from "../../core/monitor/drift/drift-decision.ts";
import { evidenceOfHosts } from "../../core/monitor/judge/e-benjamini-hochberg.ts";
import { PREDICTIONS_WEIGHT } from "../../core/monitor/judge/score-bet.ts";
import type { MetricVerdict } from "../../core/monitor/verdict.ts";
import type { MonitorReport } from "./monitor-report.ts";
import type { TestEvidence } from "./version-tests.ts";
import type { WatchedVersion } from "./watched.ts";

/** What the bet on the arms' answers says. */
export interface Predictions {
  figures: NonNullable<MonitorReport["predictions"]>;
  /** The weighted evidence has reached the threshold. */
  isShifted: boolean;
}

/**
 * null where there is nothing to be compared: the plan does not watch its data, no other version serves, or no answer
 * of either could be read.
 */
export function predictionsOf(of: {
  version: WatchedVersion;
  hosts: readonly TestEvidence[];
  stableVariant: string | null;
}): Predictions | null {
  const { version, hosts, stableVariant } = of;
  if (version.settings.dataDrift === null || stableVariant === null) return null;
  const seen = hosts.map(({ scores }) => scores).filter(({ candidate, stable }) => candidate + stable > 0);
  if (seen.length === 0) return null;
  const threshold = 1 / version.judgement.alpha;
  const evidence = evidenceOfHosts(seen.map((one) => one.evidence));
  return {
    figures: {
      ...{ evidence, weight: PREDICTIONS_WEIGHT, threshold },
      candidate: seen.reduce((sum, one) => sum + one.candidate, 0),
      stable: seen.reduce((sum, one) => sum + one.stable, 0),
    },
    isShifted: PREDICTIONS_WEIGHT * evidence >= threshold,
  };
}

/** Whether a shift fails the candidate at all, the plan says: whoever puts the verdict together knows that. */
export function predictionsMetric(predictions: Predictions | null, { judgement }: WatchedVersion): MetricVerdict[] {
  if (predictions === null) return [];
  const { figures, isShifted } = predictions;
  const { candidate, stable, evidence, threshold, weight } = figures;
  const outcome = isShifted ? "fail" : isTooFew(figures, judgement) ? "inconclusive" : "pass";
  return [
    {
      ...{ metric: "predictions", outcome, message: messageOf(predictions, judgement) },
      ...{ observed: evidence, limit: threshold / weight },
      figures: {
        candidate: { samples: candidate, estimate: null },
        stable: { samples: stable, estimate: null },
        unit: "answers of the models",
        ...{ interval: null, margin: null, evidence, threshold: threshold / weight, proof: null, moreRequests: null },
      },
    },
  ];
}

/**
 * The alarm over the data with what the answers say. A new model is meant to answer otherwise: unless the plan says
 * `onPredictionShift: rollback`, a shift is shown among the figures and raises nothing.
 */
export function withPredictions(
  drift: DriftDecision | null,
  { predictions, version }: { predictions: Predictions | null; version: WatchedVersion },
): DriftDecision | null {
  if (drift === null || predictions === null) return drift;
  const { judgement } = version;
  const own = figureOf(predictions, judgement);
  if (!own.breaching) return { ...drift, figures: [...drift.figures.slice(0, FIGURES_MAX - 1), own] };
  const reason =
    drift.state === "ALARM" ? `${drift.reason}; predictions: ${own.message}` : `predictions: ${own.message}`;
  return { state: "ALARM", reason, figures: [own, ...drift.figures].slice(0, FIGURES_MAX) };
}

const FIGURES_MAX = 50;

type Judgement = WatchedVersion["judgement"];

function isTooFew({ candidate, stable }: Predictions["figures"], { requestsMin }: Judgement): boolean {
  return Math.min(candidate, stable) < requestsMin;
}

function messageOf({ figures, isShifted }: Predictions, judgement: Judgement): string {
  const { candidate, stable, evidence, threshold, weight } = figures;
  const sums = `evidence ${rounded(evidence)} (threshold ${rounded(threshold / weight)}), ${candidate} answers against ${stable}`;
  if (isShifted) return `the candidate answers otherwise than the version that serves, ${sums}`;
  if (isTooFew(figures, judgement)) return `${judgement.requestsMin} answers of each version are needed, ${sums}`;
  return `the candidate's answers stand among those of the version that serves as by chance, ${sums}`;
}

function figureOf(predictions: Predictions, judgement: Judgement): AlarmFigure {
  const { evidence, threshold, weight, candidate, stable } = predictions.figures;
  return {
    ...{ subject: "predictions", measure: "score bet", observed: evidence, limit: threshold / weight },
    ...{ samples: candidate + stable, pValue: null, adjustedPValue: null, evidence },
    breaching: predictions.isShifted && judgement.onPredictionShift === "rollback",
    message: messageOf(predictions, judgement),
  };
}

function rounded(value: number): string {
  return value >= 1e6 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
