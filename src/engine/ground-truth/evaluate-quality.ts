import type { AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import { BiasTally } from "../../core/monitor/bias/bias-tally.ts";
import { judgeBias } from "../../core/monitor/bias/judge-bias.ts";
import { QualityBet } from "../../core/monitor/judge/quality-bet.ts";
import { isEstimate, judgeQuality, needsTruth } from "../../core/monitor/quality/judge-quality.ts";
import type { QualityBaseline } from "../../core/monitor/quality/quality-baseline.ts";
import { QualityTally } from "../../core/monitor/quality/quality-tally.ts";
import type { MetricVerdict } from "../../core/monitor/verdict.ts";
import type { MonitorSettings } from "../../core/plan/monitor-settings.ts";
import type { Transaction } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { listQualityCells, lockQualityState, writeQualityState } from "../../store/queries/ground-truth.ts";
import { type ArmComparison, compareArms, comparisonFigure, comparisonFigures } from "./compare-arms.ts";
import { betKind, countDue } from "./count-due.ts";
import { alphaOfLook, lookOf, WINDOW_TIMES } from "./looks.ts";
import type { QualityEvaluation } from "./prediction-row.ts";
import { type Coverage, QualityCell } from "./quality-cell.ts";
import { type QualityState, qualityStateOf, type StoredFinding } from "./quality-state.ts";
import { tidyTruths } from "./stray-truths.ts";

export interface EvaluateOf {
  at: EndpointKey;
  /** The rollout by whose plan it is judged: its own version is what is judged. */
  version: string;
  settings: MonitorSettings;
  /** What it is compared with while it is a candidate; null for what serves, and for a first version. */
  stableVariant: string | null;
  /** Of the plan's judgement. */
  alpha: number;
  /** null where the plan has none, or where its table has neither labels nor answers. */
  baseline: QualityBaseline | null;
}

/** Pages of answers that are joined in one look; the rest waits for the next. */
const PAGES_MAX = 2;
/** Hours of both sides: nothing older than a week speaks for what a version does now. */
const CELLS_MAX = 2 * 7 * 24;
/** Where truth is rare the answers alone fill a window. */
const ANSWERS_TIMES = 100;
const FIGURES_MAX = 50;

/**
 * Quality and bias of one version by the truth that is known, with the sums behind them. Joins what is due first. An
 * alarm needs a limit that the whole interval is beyond, or the bet against the version that serves. Whoever calls it
 * holds the evaluation of the endpoint; the transaction is the one that stores what follows.
 */
export async function evaluateQuality(
  parts: { nowMs(): number },
  of: EvaluateOf,
  tx: Transaction,
): Promise<QualityEvaluation> {
  const { at, version, settings } = of;
  if (settings.modelQuality === null && settings.bias === null) return { evaluation: null, metrics: [] };
  const nowMs = parts.nowMs();
  const state = qualityStateOf(await lockQualityState(tx, at, { rollout: version, atMs: nowMs }));
  for (let page = 0; page < PAGES_MAX; page += 1)
    if (!(await countDue(tx, { at, rollout: version, settings, nowMs }, state))) break;
  state.tidiedMs = await tidyTruths(tx, at, { nowMs, lookedMs: state.tidiedMs ?? 0 });
  const window = await windowOf(tx, of);
  state.quality = qualityFinding(window, of, state);
  state.bias = biasFinding(window, of, state);
  await writeQualityState(tx, at, { rollout: version, state, atMs: nowMs });
  return evaluationOf(of, state, nowMs);
}

/** The candidate's newest answers, as many as a window takes. */
async function windowOf(tx: Transaction, { at, version, settings }: EvaluateOf): Promise<QualityCell> {
  const cells = await listQualityCells(tx, at, { rollout: version, arm: "candidate", limit: CELLS_MAX });
  const enough = WINDOW_TIMES * Math.max(settings.modelQuality?.labelledMin ?? 0, settings.bias?.rowsMin ?? 0);
  const window = QualityCell.empty(settings);
  let labelled = 0;
  for (const cell of cells) {
    window.merge(QualityCell.decode(settings, cell.cell));
    labelled += cell.labelled;
    if (labelled >= enough || window.coverage.seen >= ANSWERS_TIMES * enough) break;
  }
  return window;
}

/** Against limits a version is judged anew only when enough is new: each look has its part of the error. */
function qualityFinding(
  window: QualityCell,
  of: EvaluateOf,
  { quality: before, totals }: QualityState,
): StoredFinding | null {
  const settings = of.settings.modelQuality;
  if (settings === null || window.quality === null) return null;
  const { seen, matched } = totals.candidate;
  const isMixed = needsTruth(settings) && Object.keys(settings.thresholds).some(isEstimate);
  const known = needsTruth(settings) ? matched : seen;
  const look = lookOf(known, settings.labelledMin) + (isMixed ? lookOf(seen, settings.labelledMin) : 0);
  // While labels are few, estimates would be looked at with every answer, and found something sooner or later.
  if (before !== null && before.look === look && (isMixed || before.state !== "INSUFFICIENT_DATA")) return before;
  const stored = of.baseline?.quality ?? null;
  const baseline = stored === null ? null : QualityTally.fromState(settings, stored);
  return { look, ...judgeQuality(window.quality, { baseline, settings, alpha: alphaOfLook(look) }) };
}

function biasFinding(
  window: QualityCell,
  of: EvaluateOf,
  { bias: before, totals }: QualityState,
): StoredFinding | null {
  const settings = of.settings.bias;
  if (settings === null || window.bias === null) return null;
  // Truth of answers that were counted before comes later, and is as much a reason to look again.
  const { seen, matched } = totals.candidate;
  const look = lookOf(seen, 2 * settings.rowsMin) + lookOf(matched, 2 * settings.rowsMin);
  if (before !== null && before.look === look && before.state !== "INSUFFICIENT_DATA") return before;
  const stored = of.baseline?.bias ?? null;
  const baseline = stored === null ? null : BiasTally.fromState(settings.favoured, stored);
  return { look, ...judgeBias(window.bias, { baseline, settings, alpha: alphaOfLook(look) }) };
}

const OUTCOMES = { OK: "pass", ALARM: "fail", INSUFFICIENT_DATA: "inconclusive" } as const;
const WORST = ["ALARM", "INSUFFICIENT_DATA", "OK"] as const;

function evaluationOf(of: EvaluateOf, state: QualityState, nowMs: number): QualityEvaluation {
  const comparison = comparisonOf(of, state);
  const metrics: MetricVerdict[] = [];
  const parts: { state: AlarmState; reason: string; figures: StoredFinding["figures"] }[] = [];
  const { quality, bias } = state;
  if (quality !== null) {
    const compared = comparison === null ? [] : [comparisonFigure(comparison)];
    const worse = comparison?.state === "ALARM" && quality.state !== "ALARM";
    const void_ = comparison?.state === "INSUFFICIENT_DATA" && quality.state === "OK";
    const told = worse || void_ ? comparison : quality;
    const figures = [...(worse ? compared : []), ...quality.figures, ...(worse ? [] : compared)];
    const reason = `${told.reason} ${coverageOf(of, state)}`;
    parts.push({ state: told.state, reason, figures });
    metrics.push(qualityVerdict({ state: told.state, reason, quality, comparison, of }));
  }
  if (bias !== null) {
    parts.push(bias);
    const [worst] = bias.figures;
    metrics.push({
      ...{ metric: "bias", outcome: OUTCOMES[bias.state], message: bias.reason },
      ...{ observed: worst?.observed ?? null, limit: worst?.limit ?? null },
    });
  }
  const worst = WORST.flatMap((each) => parts.filter((part) => part.state === each))[0];
  if (worst === undefined) return { evaluation: null, metrics };
  const figures = parts
    .flatMap((part) => part.figures)
    .toSorted((a, b) => Number(b.breaching) - Number(a.breaching))
    .slice(0, FIGURES_MAX);
  return {
    evaluation: { alarm: "ModelMonitorAlarm", state: worst.state, atMs: nowMs, reason: worst.reason, figures },
    metrics,
  };
}

function comparisonOf({ settings, stableVariant, alpha }: EvaluateOf, { bet }: QualityState): ArmComparison | null {
  if (settings.modelQuality === null || stableVariant === null || bet === null) return null;
  const restored = QualityBet.fromState({ kind: betKind(settings.modelQuality) }, bet);
  return compareArms(restored, { settings: settings.modelQuality, alpha });
}

function qualityVerdict(from: {
  state: AlarmState;
  reason: string;
  quality: StoredFinding;
  comparison: ArmComparison | null;
  of: EvaluateOf;
}): MetricVerdict {
  const { state, reason, quality, comparison } = from;
  const [worst] = quality.figures;
  // Truth that one version has and the other has not is no measurement, and no lack of one either.
  const outcome = state === "INSUFFICIENT_DATA" && comparison?.isVoid === true ? "error" : OUTCOMES[state];
  return {
    ...{ metric: "quality", outcome, message: reason },
    ...{ observed: worst?.observed ?? null, limit: worst?.limit ?? null },
    ...(comparison === null ? {} : { figures: comparisonFigures(comparison) }),
  };
}

/** How much of what was answered has a known truth, per side, and how much of what came is kept at all. */
function coverageOf({ stableVariant, settings }: EvaluateOf, { totals }: QualityState): string {
  const isTimed = (settings.modelQuality?.horizonSeconds ?? 0) > 0;
  const of = ({ seen, kept, due, matched }: Coverage) => {
    const share = (part: number, whole: number) => (whole === 0 ? "none" : `${Math.round((100 * part) / whole)} %`);
    const sampled = kept < seen ? `; ${share(kept, seen)} of all are kept` : "";
    return `${matched} of ${isTimed ? due : kept} (${share(matched, isTimed ? due : kept)}${sampled})`;
  };
  const own = `Truth is known of ${of(totals.candidate)} answers`;
  return stableVariant === null ? `${own}.` : `${own}, of the version that serves ${of(totals.stable)}.`;
}
