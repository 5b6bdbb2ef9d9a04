import type { AlarmFigure, AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import type { QualityBetState } from "../../core/monitor/judge/quality-bet.ts";
import { type Coverage, noCoverage } from "./quality-cell.ts";

/** What goes on from look to look for one rollout; stored as JSON, and read by nobody else. */
export interface QualityState {
  form: 1;
  /** Of the present hour: of requests one in 2^halvings is kept. */
  sampling: { hourMs: number; kept: number; halvings: number };
  /** Of the whole life of the rollout, where cells are those of an hour. */
  totals: Record<"candidate" | "stable", Coverage>;
  /** Inference ids that had been used before; what was answered for them the second time has no truth of its own. */
  reusedIds: number;
  /** When labels without an answer were looked for last; not there in states of before. */
  tidiedMs?: number;
  bet: QualityBetState | null;
  /** The newest findings against limits, and which look they are of; see `nextLook`. */
  quality: StoredFinding | null;
  bias: StoredFinding | null;
}

export interface StoredFinding {
  look: number;
  state: AlarmState;
  reason: string;
  figures: AlarmFigure[];
}

export function qualityStateOf(stored: Record<string, unknown>): QualityState {
  if (stored["form"] !== undefined && stored["form"] !== 1)
    throw new Error("broken invariant: a state is stored in a form that this program wrote");
  const fresh: QualityState = {
    form: 1,
    sampling: { hourMs: 0, kept: 0, halvings: 0 },
    totals: { candidate: noCoverage(), stable: noCoverage() },
    reusedIds: 0,
    bet: null,
    quality: null,
    bias: null,
  };
  return { ...fresh, ...(stored as Partial<QualityState>) };
}
