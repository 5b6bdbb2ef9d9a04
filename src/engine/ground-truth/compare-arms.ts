import type { AlarmFigure, AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import { QUALITY_WEIGHT, type QualityBet } from "../../core/monitor/judge/quality-bet.ts";
import { proportion } from "../../core/monitor/quality/estimate.ts";
import type { MetricFigures } from "../../core/monitor/verdict.ts";
import type { QualitySettings } from "../../core/plan/monitor-settings.ts";

export interface ArmComparison {
  state: AlarmState;
  reason: string;
  /** The arms differ in how many answers have a truth: then what is known of them cannot be compared. */
  isVoid: boolean;
  evidence: number;
  threshold: number;
  samples: QualityBet["samples"];
  isClasses: boolean;
}

/** What the bet between the candidate and the version that serves says so far. */
export function compareArms(
  bet: QualityBet,
  { settings, alpha }: { settings: QualitySettings; alpha: number },
): ArmComparison {
  const { samples, evidence } = bet;
  const { candidate, stable } = samples;
  const found = {
    ...{ evidence, threshold: 1 / (alpha * QUALITY_WEIGHT), samples, isVoid: bet.coverageDiffers },
    isClasses: settings.problem !== "regression",
  };
  const what = found.isClasses ? "wrong answers" : "mean error";
  const means = `${what} ${mean(candidate.meanLoss, found)} of ${candidate.labelled} against ${mean(stable.meanLoss, found)} of ${stable.labelled}`;
  const sums = `${means}, evidence ${round(evidence)} of ${round(found.threshold)}`;
  if (found.isVoid) {
    const shares = `${share(candidate)} of the candidate's and ${share(stable)} of the other's`;
    return {
      ...{ ...found, state: "INSUFFICIENT_DATA" },
      reason: `The versions cannot be compared: truth is known of ${shares} answers, which is not by chance.`,
    };
  }
  if (evidence >= found.threshold)
    return { ...found, state: "ALARM", reason: `The candidate's quality is worse than what serves: ${sums}.` };
  // So few cannot show anything, and their silence is no answer.
  if (Math.min(candidate.labelled, stable.labelled) === 0)
    return { ...found, state: "INSUFFICIENT_DATA", reason: `No truth is known of one of the versions yet: ${sums}.` };
  return { ...found, state: "OK", reason: `The candidate's quality is not shown to be worse: ${sums}.` };
}

export function comparisonFigure(of: ArmComparison): AlarmFigure {
  const { candidate, stable } = of.samples;
  return {
    subject: "model quality against what serves",
    measure: of.isClasses ? "wrong answers" : "size of the error",
    observed: candidate.meanLoss,
    limit: stable.meanLoss,
    samples: candidate.labelled + stable.labelled,
    ...{ pValue: null, adjustedPValue: null, evidence: of.evidence },
    breaching: of.state === "ALARM",
    message: of.reason,
  };
}

const CONFIDENCE = 0.95;

/** Newcombe's interval of the difference of two shares (1998, method 10); not a sequential one, and called so nowhere. */
function differenceOf({ samples: { candidate, stable }, isClasses }: ArmComparison): MetricFigures["interval"] {
  if (!isClasses || candidate.meanLoss === null || stable.meanLoss === null) return null;
  const [c, s] = [candidate, stable].map(({ meanLoss, labelled }) =>
    proportion((meanLoss ?? 0) * labelled, labelled, { confidence: CONFIDENCE, empty: "" }),
  );
  if (c?.interval == null || s?.interval == null || c.value === null || s.value === null) return null;
  const difference = c.value - s.value;
  const low = difference - Math.hypot(c.value - c.interval.low, s.interval.high - s.value);
  const high = difference + Math.hypot(c.interval.high - c.value, s.value - s.interval.low);
  return { of: "difference", low, high, confidence: CONFIDENCE };
}

export function comparisonFigures(of: ArmComparison): MetricFigures {
  const { candidate, stable } = of.samples;
  return {
    candidate: { samples: candidate.labelled, estimate: candidate.meanLoss },
    stable: { samples: stable.labelled, estimate: stable.meanLoss },
    unit: of.isClasses ? "share of wrong answers" : "mean absolute error",
    interval: differenceOf(of),
    ...{ margin: null, evidence: of.evidence, threshold: of.threshold, proof: null, moreRequests: null },
  };
}

function share({ answered, labelled }: { answered: number; labelled: number }): string {
  return answered === 0 ? "none" : `${labelled} of ${answered}`;
}

function mean(value: number | null, { isClasses }: { isClasses: boolean }): string {
  if (value === null) return "unknown";
  return isClasses ? `${Number((value * 100).toPrecision(3))} %` : String(Number(value.toPrecision(4)));
}

function round(value: number): string {
  return value >= 1e6 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
