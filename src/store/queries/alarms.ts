import type { Alarm, AlarmEffect } from "../../core/monitor/alarm/alarm.ts";
import type { AlarmFigure, AlarmName, AlarmState } from "../../core/monitor/alarm/evaluation.ts";
import type { Suppression } from "../../core/monitor/alarm/suppression.ts";
import type { Queryable, Transaction } from "../database.ts";
import type { EndpointKey } from "./admission.ts";

/** Alarms of the versions of endpoints, and how their states changed. */

export interface AlarmRow extends Alarm {
  /** The id of its rollout. */
  variant: string;
  environment: string;
  target: string;
  name: string;
}

interface StoredAlarm {
  variant: string;
  alarm: AlarmName;
  environment: string;
  target: string;
  name: string;
  state: AlarmState;
  since: Date;
  evaluatedAt: Date;
  reason: string;
  figures: AlarmFigure[];
  transitions: number;
  effect: AlarmEffect["kind"] | null;
  effectMessage: string | null;
  acknowledgedBy: string | null;
  acknowledgedAt: Date | null;
  acknowledgeComment: string | null;
}

const ALARM = `variant, alarm, environment, target, name, state, since, evaluated_at AS "evaluatedAt", reason, figures,
  transitions, effect, effect_message AS "effectMessage", acknowledged_by AS "acknowledgedBy",
  acknowledged_at AS "acknowledgedAt", acknowledge_comment AS "acknowledgeComment"`;

const ENDPOINT = "tenant = $1 AND environment = $2 AND target = $3 AND name = $4";

function alarmOf(row: StoredAlarm): AlarmRow {
  const { variant, alarm, environment, target, name, state, reason, figures, transitions, effect } = row;
  return {
    ...{ variant, alarm, environment, target, name, state, reason, figures, transitions },
    sinceMs: row.since.getTime(),
    evaluatedAtMs: row.evaluatedAt.getTime(),
    effect: effect === null ? null : { kind: effect, message: row.effectMessage ?? "" },
    acknowledgement:
      row.acknowledgedBy === null || row.acknowledgedAt === null
        ? null
        : { by: row.acknowledgedBy, atMs: row.acknowledgedAt.getTime(), comment: row.acknowledgeComment },
  };
}

/** The alarms of one version, held until the transaction ends. */
export async function lockAlarms(tx: Transaction, at: { tenant: string; variant: string }): Promise<AlarmRow[]> {
  const { rows } = await tx.query<StoredAlarm>(
    `SELECT ${ALARM} FROM alarm_states WHERE tenant = $1 AND variant = $2 ORDER BY alarm FOR UPDATE`,
    [at.tenant, at.variant],
  );
  return rows.map(alarmOf);
}

export async function readAlarms(db: Queryable, at: { tenant: string; variant: string }): Promise<AlarmRow[]> {
  const { rows } = await db.query<StoredAlarm>(
    `SELECT ${ALARM} FROM alarm_states WHERE tenant = $1 AND variant = $2 ORDER BY alarm`,
    [at.tenant, at.variant],
  );
  return rows.map(alarmOf);
}

export interface AlarmPage {
  tenant: string;
  endpoint?: Omit<EndpointKey, "tenant">;
  state?: AlarmState;
  after?: { variant: string; alarm: string };
  limit: number;
}

/** By version, newest first, then by alarm. */
export async function listAlarms(db: Queryable, page: AlarmPage): Promise<AlarmRow[]> {
  const { endpoint } = page;
  const { rows } = await db.query<StoredAlarm>(
    `SELECT ${ALARM} FROM alarm_states WHERE tenant = $1
       AND ($2::text IS NULL OR (environment = $2 AND target = $3 AND name = $4))
       AND ($5::text IS NULL OR state = $5)
       AND ($6::text IS NULL OR variant < $6 OR (variant = $6 AND alarm > $7))
     ORDER BY variant DESC, alarm LIMIT $8`,
    [
      ...[page.tenant, endpoint?.environment ?? null, endpoint?.target ?? null, endpoint?.name ?? null],
      ...[page.state ?? null, page.after?.variant ?? null, page.after?.alarm ?? null, page.limit],
    ],
  );
  return rows.map(alarmOf);
}

export async function saveAlarm(
  tx: Transaction,
  { tenant, variant, environment, target, name }: EndpointKey & { variant: string },
  alarm: Alarm,
): Promise<void> {
  const { acknowledgement, effect } = alarm;
  await tx.query(
    `INSERT INTO alarm_states (tenant, variant, alarm, environment, target, name, state, since, evaluated_at, reason,
       figures, transitions, effect, effect_message, acknowledged_by, acknowledged_at, acknowledge_comment)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
     ON CONFLICT (tenant, variant, alarm) DO UPDATE SET state = excluded.state, since = excluded.since,
       evaluated_at = excluded.evaluated_at, reason = excluded.reason, figures = excluded.figures,
       transitions = excluded.transitions, effect = excluded.effect, effect_message = excluded.effect_message,
       acknowledged_by = excluded.acknowledged_by, acknowledged_at = excluded.acknowledged_at,
       acknowledge_comment = excluded.acknowledge_comment`,
    [
      ...[tenant, variant, alarm.alarm, environment, target, name, alarm.state],
      ...[new Date(alarm.sinceMs), new Date(alarm.evaluatedAtMs), alarm.reason, JSON.stringify(alarm.figures)],
      ...[alarm.transitions, effect?.kind ?? null, effect?.message ?? null],
      acknowledgement?.by ?? null,
      acknowledgement === null ? null : new Date(acknowledgement.atMs),
      acknowledgement?.comment ?? null,
    ],
  );
}

/** Answers whether the ALARM was there to be acknowledged. */
export async function acknowledgeAlarm(
  tx: Transaction,
  of: { tenant: string; variant: string; alarm: string; by: string; atMs: number; comment: string | null },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE alarm_states SET acknowledged_by = $4, acknowledged_at = $5, acknowledge_comment = $6
     WHERE tenant = $1 AND variant = $2 AND alarm = $3 AND state = 'ALARM'`,
    [of.tenant, of.variant, of.alarm, of.by, new Date(of.atMs), of.comment],
  );
  return rowCount === 1;
}

/**
 * What a person was asked, or why nothing follows, when that is found out outside the alarm's own evaluation. Answers
 * whether the ALARM was there still.
 */
export async function writeAlarmEffect(
  tx: Transaction,
  of: { tenant: string; variant: string; alarm: string; effect: AlarmEffect },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE alarm_states SET effect = $4, effect_message = $5
     WHERE tenant = $1 AND variant = $2 AND alarm = $3 AND state = 'ALARM'`,
    [of.tenant, of.variant, of.alarm, of.effect.kind, of.effect.message],
  );
  return rowCount === 1;
}

export interface TransitionRow {
  variant: string;
  alarm: AlarmName;
  sequence: number;
  at: Date;
  from: AlarmState;
  to: AlarmState;
  reason: string;
  figures: AlarmFigure[];
  suppressed: boolean;
}

export async function insertTransition(
  tx: Transaction,
  of: Omit<TransitionRow, "at" | "figures"> & { tenant: string; atMs: number; figures: readonly AlarmFigure[] },
): Promise<void> {
  await tx.query(
    `INSERT INTO alarm_transitions (tenant, variant, alarm, sequence, at, from_state, to_state, reason, figures, suppressed)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      ...[of.tenant, of.variant, of.alarm, of.sequence, new Date(of.atMs), of.from, of.to, of.reason],
      ...[JSON.stringify(of.figures), of.suppressed],
    ],
  );
}

/** Of one endpoint, newest first. */
export async function listTransitions(
  db: Queryable,
  page: EndpointKey & {
    alarm?: string;
    variant?: string;
    after?: { atMs: number; variant: string; alarm: string; sequence: number };
    limit: number;
  },
): Promise<TransitionRow[]> {
  const { after } = page;
  const { rows } = await db.query<TransitionRow>(
    `SELECT t.variant, t.alarm, t.sequence, t.at, t.from_state AS "from", t.to_state AS "to", t.reason, t.figures,
       t.suppressed
     FROM alarm_transitions t JOIN alarm_states s USING (tenant, variant, alarm)
     WHERE t.tenant = $1 AND s.environment = $2 AND s.target = $3 AND s.name = $4
       AND ($5::text IS NULL OR t.alarm = $5) AND ($6::text IS NULL OR t.variant = $6)
       AND ($7::timestamptz IS NULL OR (t.at, t.variant, t.alarm, t.sequence) < ($7, $8, $9, $10))
     ORDER BY t.at DESC, t.variant DESC, t.alarm DESC, t.sequence DESC LIMIT $11`,
    [
      ...[page.tenant, page.environment, page.target, page.name, page.alarm ?? null, page.variant ?? null],
      ...[after === undefined ? null : new Date(after.atMs), after?.variant ?? null, after?.alarm ?? null],
      ...[after?.sequence ?? null, page.limit],
    ],
  );
  return rows;
}

interface StoredSuppression {
  id: string;
  alarm: string;
  reason: string;
  createdBy: string;
  createdAt: Date;
  until: Date;
}

export interface SuppressionRow extends Suppression {
  alarm: string;
}

/** Those of an endpoint that nobody ended and whose time is not over. */
export async function openSuppressions(db: Queryable, at: EndpointKey, nowMs: number): Promise<SuppressionRow[]> {
  const { rows } = await db.query<StoredSuppression>(
    `SELECT id, alarm, reason, created_by AS "createdBy", created_at AS "createdAt", until
     FROM alarm_suppressions WHERE ${ENDPOINT} AND ended_at IS NULL AND until > $5 ORDER BY alarm`,
    [at.tenant, at.environment, at.target, at.name, new Date(nowMs)],
  );
  return rows.map(({ id, alarm, reason, createdBy, createdAt, until }) => ({
    ...{ id, alarm, reason, by: createdBy, atMs: createdAt.getTime(), untilMs: until.getTime() },
  }));
}

/** Takes the place of the one before it, if there is one. */
export async function insertSuppression(
  tx: Transaction,
  at: EndpointKey,
  of: Suppression & { alarm: string },
): Promise<void> {
  await endSuppression(tx, at, { alarm: of.alarm, by: of.by, atMs: of.atMs });
  await tx.query(
    `INSERT INTO alarm_suppressions (tenant, id, environment, target, name, alarm, reason, created_by, created_at, until)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      ...[at.tenant, of.id, at.environment, at.target, at.name, of.alarm, of.reason, of.by],
      ...[new Date(of.atMs), new Date(of.untilMs)],
    ],
  );
}

/** Answers whether one was in force. One whose time is over ended then, whoever looks. */
export async function endSuppression(
  tx: Transaction,
  at: EndpointKey,
  of: { alarm: string; by: string; atMs: number },
): Promise<boolean> {
  const { rows } = await tx.query<{ until: Date }>(
    `UPDATE alarm_suppressions SET ended_at = least(until, $7),
       ended_by = CASE WHEN until > $7 THEN $6 END
     WHERE ${ENDPOINT} AND alarm = $5 AND ended_at IS NULL RETURNING until`,
    [at.tenant, at.environment, at.target, at.name, of.alarm, of.by, new Date(of.atMs)],
  );
  return rows.some(({ until }) => until.getTime() > of.atMs);
}

/** Rows that one transaction removes at most. */
const ROWS_AT_ONCE = 1000;

/** Changes of state that are older, and alarms that nobody evaluates any more: of versions that went long ago. */
export async function removeAlarms(tx: Transaction, beforeMs: number): Promise<{ tenant: string; count: number }[]> {
  const { rows } = await tx.query<{ tenant: string; count: number }>(
    `WITH changes AS (
       DELETE FROM alarm_transitions WHERE (tenant, variant, alarm, sequence) IN (
         SELECT tenant, variant, alarm, sequence FROM alarm_transitions WHERE at < $1 LIMIT ${ROWS_AT_ONCE})
       RETURNING tenant
     ), states AS (
       DELETE FROM alarm_states WHERE (tenant, variant, alarm) IN (
         SELECT tenant, variant, alarm FROM alarm_states s WHERE evaluated_at < $1 AND NOT EXISTS (
           SELECT FROM alarm_transitions t WHERE (t.tenant, t.variant, t.alarm) = (s.tenant, s.variant, s.alarm))
         LIMIT ${ROWS_AT_ONCE})
       RETURNING tenant
     )
     SELECT tenant, count(*) AS count FROM (SELECT tenant FROM changes UNION ALL SELECT tenant FROM states) AS gone
     GROUP BY tenant`,
    [new Date(beforeMs)],
  );
  return rows;
}
