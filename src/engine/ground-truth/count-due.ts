import { sameValue } from "../../core/monitor/bias/bias-tally.ts";
import { QualityBet, type TruthedAnswer } from "../../core/monitor/judge/quality-bet.ts";
import { labelOf, outcomeOf } from "../../core/monitor/quality/quality-baseline.ts";
import { predictedPositive } from "../../core/monitor/quality/quality-tally.ts";
import type { MonitorSettings, QualitySettings } from "../../core/plan/monitor-settings.ts";
import type { Transaction } from "../../store/database.ts";
import type { EndpointKey } from "../../store/queries/admission.ts";
import { type JoinedRow, joinDue, markCounted } from "../../store/queries/ground-truth.ts";
import type { QualityState } from "./quality-state.ts";
import { byCell, cellOf, storeCell } from "./record-predictions.ts";
import { UNTIMED_SECONDS } from "./sampling.ts";

/** Answers that are joined with their truth in one transaction, at most. */
export const JOINED_MAX = 5000;
/** The capture is read about this long after the request; until then an answer may be missing whose time is over. */
const READ_LAG_MS = 5000;

export interface DueOf {
  at: EndpointKey;
  rollout: string;
  settings: MonitorSettings;
  nowMs: number;
}

/**
 * Joins answers with their truth, counts both and takes the answers away. With a horizon each answer is looked at once,
 * at the same age whichever version gave it, with what is known then; the bet between the versions rests on that.
 * Without one an answer is counted as soon as its truth is known, and there is no bet: truth that comes sooner for one
 * version than for the other would decide it. Changes `state`; answers whether there may be more.
 */
export async function countDue(tx: Transaction, of: DueOf, state: QualityState): Promise<boolean> {
  const { at, rollout, settings, nowMs } = of;
  const horizonSeconds = settings.modelQuality?.horizonSeconds ?? 0;
  const isTimed = horizonSeconds > 0;
  const toMs = isTimed ? nowMs - horizonSeconds * 1000 - READ_LAG_MS : nowMs;
  const joined = await joinDue(tx, at, {
    ...{ rollout, toMs, horizonSeconds: isTimed ? horizonSeconds : null },
    ...{ giveUpMs: nowMs - UNTIMED_SECONDS * 1000, limit: JOINED_MAX },
  });
  const { rows, upToMs, more } = wholeMoments(joined, toMs);
  for (const [{ arm, hourMs }, part] of byCell(rows, rollout)) {
    const cell = await cellOf(tx, { at, rollout, arm, hourMs, settings });
    for (const row of part) {
      cell.coverage.due += 1;
      state.totals[arm].due += 1;
      if (row.label === null) continue;
      cell.coverage.matched += 1;
      state.totals[arm].matched += 1;
      cell.quality?.addLabel(row, row.label);
      const answer = { facet: row.facet, group: row.group, predictedPositive: outcomeOf(settings, row) };
      // When it was answered nobody knew on which side: what was predicted for the side is known of such answers alone.
      if (row.isFacetTold) cell.bias?.addAnswer(answer);
      cell.bias?.addLabel(answer, labelOf(settings, row.label));
    }
    await storeCell(tx, { at, rollout, arm, hourMs, cell });
  }
  await markCounted(tx, at, { rollout, rows, atMs: nowMs });
  if (isTimed && settings.modelQuality !== null)
    state.bet = nextBet(state.bet, { rows, toMs: upToMs, rollout, quality: settings.modelQuality });
  return more;
}

/**
 * Of a full page the last moment is left for the next one, since it may not be whole: the bet is told that it has seen
 * everything up to a time.
 */
function wholeMoments(
  joined: readonly JoinedRow[],
  toMs: number,
): { rows: readonly JoinedRow[]; upToMs: number; more: boolean } {
  const last = joined.at(-1)?.atMs;
  if (last === undefined || joined.length < JOINED_MAX) return { rows: joined, upToMs: toMs, more: false };
  const rows = joined.filter(({ atMs }) => atMs < last);
  // So many at one moment are no traffic; they are taken as they are.
  return rows.length === 0 ? { rows: joined, upToMs: last, more: true } : { rows, upToMs: last - 1, more: true };
}

export function betKind({ problem }: Pick<QualitySettings, "problem">): "classes" | "numbers" {
  return problem === "regression" ? "numbers" : "classes";
}

/** One bet a request: rows of one request went the same way together, so the first of them speaks for all. */
function nextBet(
  before: QualityState["bet"],
  of: { rows: readonly JoinedRow[]; toMs: number; rollout: string; quality: QualitySettings },
): QualityState["bet"] {
  const kind = { kind: betKind(of.quality) };
  const bet = before === null ? new QualityBet(kind) : QualityBet.fromState(kind, before);
  const answers = of.rows
    // Only what was drawn has an arm by chance: all of the traffic on one side says nothing of the two.
    .filter(({ row, probability }) => row === 0 && probability > 0 && probability < 1)
    .map(
      (row): TruthedAnswer => ({
        candidate: row.variant === of.rollout,
        probability: row.probability,
        requestedAtMs: row.atMs,
        loss: row.label === null ? null : lossOf(row, row.label, of.quality),
      }),
    );
  bet.score({ toMs: of.toMs, answers });
  return bet.toState();
}

/** 1 for a wrong class, 0 for a right one; the size of the error for a number; null for what cannot be judged. */
function lossOf(row: JoinedRow, label: string, quality: QualitySettings): number | null {
  if (quality.problem === "regression") {
    const truth = label.trim() === "" ? Number.NaN : Number(label);
    const loss = row.value === null ? Number.NaN : Math.abs(row.value - truth);
    return Number.isFinite(loss) ? loss : null;
  }
  if (quality.problem === "binary") {
    const predicted = predictedPositive(quality, row);
    return predicted === null ? null : Number(predicted !== sameValue(label, quality.positive));
  }
  return row.predicted === null ? null : Number(!sameValue(label, row.predicted));
}
