import type { AlarmEvaluation, AlarmName, AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import type { EndpointRef } from "../../core/rollout/rollout.ts";
import type { Transaction } from "../../store/database.ts";
import type { EngineParts } from "../engine.ts";

/** One look at the measurements of one version of an endpoint. */
export interface EvaluationsOf {
  tenant: string;
  endpoint: EndpointRef;
  /** The version that was measured: the id of its rollout. */
  variant: string;
  evaluations: readonly AlarmEvaluation[];
}

export interface AlarmTransition {
  alarm: AlarmName;
  from: AlarmState;
  to: AlarmState;
}

export interface RecordedEvaluations {
  /** Alarms whose state changed. */
  transitions: readonly AlarmTransition[];
  /** Logs and counts what is in the database now; never throws. Whoever gave a transaction calls it after its commit. */
  tell(): void;
}

/**
 * The one way in for what the monitor and the data plane find: state, history, audit entry, and what follows for the
 * rollout of that version, in one transaction. Give yours when what was measured must be stored together with it; it
 * locks the rollout's row first and the alarms' rows after it. Evaluations older than the recorded one change nothing.
 */
export async function recordEvaluations(
  parts: EngineParts,
  of: EvaluationsOf,
  transaction?: Transaction,
): Promise<RecordedEvaluations> {
  throw new Error(`not built yet: ${of.variant} ${String(parts === undefined)} ${String(transaction === undefined)}`);
}
