import { type Alarm, evaluateAlarm, isUnanswered } from "../../core/monitor/alarm/alarm.ts";
import { alarmResponse } from "../../core/monitor/alarm/alarm-response.ts";
import type { AlarmEvaluation, AlarmName, AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import { isTerminal } from "../../core/rollout/phases.ts";
import type { EndpointRef, Rollout } from "../../core/rollout/rollout.ts";
import { watchPeriod } from "../../core/rollout/watch-period.ts";
import type { Transaction } from "../../store/database.ts";
import {
  insertTransition,
  lockAlarms,
  openSuppressions,
  type SuppressionRow,
  saveAlarm,
} from "../../store/queries/alarms.ts";
import { readStanding, wantRestore } from "../../store/queries/watch-restores.ts";
import { applyEvent, tell } from "../commit.ts";
import { type CommittedEvent, type EngineParts, SYSTEM } from "../engine.ts";
import { EngineError } from "../engine-error.ts";
import { lockRollout } from "../rollout-rows.ts";
import { tellAsked, tellTransition } from "./alarm-audit.ts";

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

/** Told with the tenant when a worker has to bring back what ran before. */
export const RESTORE_WANTED = "alarm_restores";

/**
 * The one way in for what the monitor and the data plane find: state, history, audit entry, and what follows for the
 * rollout of that version, in one transaction. Give yours when what was measured must be stored together with it, and
 * call `tell` once it is through; it locks the rollout's row first and the alarms' rows after it. An evaluation that is
 * older than the recorded one changes nothing. Throws `no-such-rollout`, and `database-unavailable` (asking again is
 * safe).
 */
export async function recordEvaluations(
  parts: EngineParts,
  of: EvaluationsOf,
  transaction?: Transaction,
): Promise<RecordedEvaluations> {
  if (transaction !== undefined) return record(transaction, parts, of);
  const recorded = await parts.database.transaction((tx) => record(tx, parts, of));
  recorded.tell();
  return recorded;
}

/** What one call works with. */
interface Recording {
  parts: EngineParts;
  of: EvaluationsOf;
  rollout: Rollout;
  suppressions: readonly SuppressionRow[];
  facts: CommittedEvent[];
}

async function record(tx: Transaction, parts: EngineParts, of: EvaluationsOf): Promise<RecordedEvaluations> {
  const { tenant, variant, endpoint } = of;
  const rollout = await lockRollout(tx, { tenant, rolloutId: variant });
  if (rollout === undefined || !isOf(rollout, endpoint))
    throw new EngineError("no-such-rollout", `There is no rollout ${variant} of ${endpoint.name}.`);
  const known = await lockAlarms(tx, { tenant, variant });
  const suppressions = await openSuppressions(tx, { tenant, ...endpoint }, parts.nowMs());
  const recording: Recording = { parts, of, rollout, suppressions, facts: [] };
  const transitions: AlarmTransition[] = [];
  for (const evaluation of of.evaluations) {
    const before = known.find(({ alarm }) => alarm === evaluation.alarm);
    const evaluated = evaluateAlarm(before, evaluation);
    if (evaluated === undefined) continue;
    const { alarm, transition } = evaluated;
    const effect = isUnanswered(alarm) ? await answer(tx, recording, alarm) : alarm.effect;
    await saveAlarm(tx, { tenant, variant, ...endpoint }, { ...alarm, effect });
    if (transition === null) continue;
    const suppressed = suppressions.some((one) => one.alarm === alarm.alarm);
    const { sinceMs: atMs, transitions: sequence, reason, figures } = alarm;
    const named = { tenant, variant, alarm: alarm.alarm, ...transition };
    await insertTransition(tx, { ...named, sequence, atMs, reason, figures, suppressed });
    await tellTransition(tx, { ...named, endpoint, suppressed, atMs: parts.nowMs(), simulation: rollout.simulation });
    transitions.push({ alarm: alarm.alarm, ...transition });
  }
  return { transitions, tell: () => tellAll(recording, transitions) };
}

function isOf({ endpoint }: Rollout, { environment, target, name }: EndpointRef): boolean {
  return endpoint.environment === environment && endpoint.target === target && endpoint.name === name;
}

/** Does what follows from an ALARM that nothing followed from yet; answers what that is. */
async function answer(tx: Transaction, recording: Recording, alarm: Alarm): Promise<NonNullable<Alarm["effect"]>> {
  const { parts, of, rollout, suppressions } = recording;
  const { tenant, variant, endpoint } = of;
  const standing = await readStanding(tx, { tenant, ...endpoint }, variant);
  const response = alarmResponse({
    alarm: alarm.alarm,
    nowMs: parts.nowMs(),
    suppression: suppressions.find((one) => one.alarm === alarm.alarm) ?? null,
    underWay: !isTerminal(rollout.phase),
    restore: rollout.restores !== undefined,
    live: standing.live,
    watch: watchPeriod(rollout, standing.endedAtMs),
    otherRollout: standing.otherRollout,
    restoring: standing.restoring,
  });
  switch (response.kind) {
    case "rollout":
      return tellRollout(tx, recording, alarm);
    case "restore":
      await wantRestore(tx, { tenant, rollout: variant, alarm: alarm.alarm, atMs: parts.nowMs() });
      tx.notify(RESTORE_WANTED, tenant);
      return response;
    case "ask":
      await tellAsked(tx, { tenant, variant, endpoint, alarm: alarm.alarm, atMs: parts.nowMs(), rollout });
      return response;
    case "none":
      return response;
  }
}

/** The same word as anybody's: the reducer knows what the plan lists, and whether there is anything to take back. */
async function tellRollout(
  tx: Transaction,
  { parts, of, facts }: Recording,
  { alarm, reason, transitions }: Alarm,
): Promise<NonNullable<Alarm["effect"]>> {
  const { accepted, refusal } = await applyEvent(
    tx,
    parts,
    {
      ...{ tenant: of.tenant, rolloutId: of.variant, cause: `alarm/${alarm}/${transitions}`, actor: SYSTEM },
      event: { type: "alarm", name: alarm, message: reason },
    },
    facts,
  );
  if (accepted) return { kind: "rollout", message: "The rollout rolls back." };
  return { kind: "none", message: refusal ?? "The rollout does not take it now." };
}

function tellAll({ parts, of, facts }: Recording, transitions: readonly AlarmTransition[]): void {
  const { tenant, endpoint, variant } = of;
  for (const { alarm, from, to } of transitions) {
    const facts = { tenant, endpoint: `${endpoint.environment}-${endpoint.name}`, target: endpoint.target, variant };
    parts.log.info("alarm-transition", { ...facts, code: alarm, reason: `${from} to ${to}` });
    try {
      parts.onAlarm?.({ environment: endpoint.environment, alarm, from, to });
    } catch (error) {
      parts.log.error("alarm-not-counted", { ...facts, reason: String(error) });
    }
  }
  for (const fact of facts) tell(parts, fact);
}
