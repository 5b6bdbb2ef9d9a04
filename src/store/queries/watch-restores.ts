import type { Queryable, Transaction } from "../database.ts";
import type { EndpointKey } from "./admission.ts";

/** The one way back from a version in its watch period. */

export interface WatchRestoreRow {
  tenant: string;
  /** The version that is left. */
  rollout: string;
  alarm: string;
  at: Date;
  /** Null while it is to be done. `proposed`: a rollout does it. `denied`, `given-up`: a person has to look. */
  outcome: "proposed" | "denied" | "given-up" | null;
  restore: string | null;
  message: string | null;
  attempts: number;
}

const RESTORE = "tenant, rollout, alarm, at, outcome, restore, message, attempts";

/** Answers false when one was wanted before: there is only one, unless it was given up. */
export async function wantRestore(
  tx: Transaction,
  of: { tenant: string; rollout: string; alarm: string; atMs: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO watch_restores (tenant, rollout, alarm, at, not_before) VALUES ($1, $2, $3, $4, $4)
     ON CONFLICT (tenant, rollout) DO UPDATE SET alarm = excluded.alarm, at = excluded.at, outcome = NULL, message = NULL,
       attempts = 0, not_before = excluded.not_before WHERE watch_restores.outcome = 'given-up'`,
    [of.tenant, of.rollout, of.alarm, new Date(of.atMs)],
  );
  return rowCount === 1;
}

export async function readRestore(
  db: Queryable,
  at: { tenant: string; rollout: string },
): Promise<WatchRestoreRow | undefined> {
  const { rows } = await db.query<WatchRestoreRow>(
    `SELECT ${RESTORE} FROM watch_restores WHERE tenant = $1 AND rollout = $2`,
    [at.tenant, at.rollout],
  );
  return rows[0];
}

export async function dueRestores(db: Queryable, nowMs: number): Promise<WatchRestoreRow[]> {
  const { rows } = await db.query<WatchRestoreRow>(
    `SELECT ${RESTORE} FROM watch_restores WHERE outcome IS NULL AND not_before <= $1 ORDER BY at LIMIT 100`,
    [new Date(nowMs)],
  );
  return rows;
}

export async function writeRestore(
  tx: Transaction,
  of: Pick<WatchRestoreRow, "tenant" | "rollout" | "outcome" | "restore" | "message"> & { notBeforeMs: number },
): Promise<void> {
  await tx.query(
    `UPDATE watch_restores SET outcome = $3, restore = $4, message = $5, not_before = $6, attempts = attempts + 1
     WHERE tenant = $1 AND rollout = $2`,
    [of.tenant, of.rollout, of.outcome, of.restore, of.message, new Date(of.notBeforeMs)],
  );
}

/** What an alarm of a version that is not under way is about. */
export interface Standing {
  live: boolean;
  endedAtMs: number | null;
  /** Another rollout that holds the endpoint. */
  otherRollout: string | null;
  restoring: boolean;
}

export async function readStanding(db: Queryable, at: EndpointKey, rollout: string): Promise<Standing> {
  const { rows } = await db.query<{
    live: boolean | null;
    endedAt: Date | null;
    other: string | null;
    restoring: boolean;
  }>(
    `SELECT e.live_rollout = $5 AS live,
       (SELECT ended_at FROM rollouts WHERE tenant = $1 AND id = $5) AS "endedAt",
       (SELECT id FROM rollouts r WHERE r.active AND r.id <> $5
          AND (r.tenant, r.environment, r.target, r.name) = (e.tenant, e.environment, e.target, e.name)) AS other,
       EXISTS (SELECT FROM watch_restores WHERE tenant = $1 AND rollout = $5
          AND outcome IS DISTINCT FROM 'given-up') AS restoring
     FROM endpoints e WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4`,
    [at.tenant, at.environment, at.target, at.name, rollout],
  );
  const row = rows[0];
  return {
    live: row?.live === true,
    endedAtMs: row?.endedAt?.getTime() ?? null,
    otherRollout: row?.other ?? null,
    restoring: row?.restoring === true,
  };
}

/** The rollout that an alarm began to bring back what ran before this one. */
export async function restoreByAlarm(
  db: Queryable,
  at: EndpointKey,
  rollout: string,
): Promise<{ id: string; phase: string } | undefined> {
  const { rows } = await db.query<{ id: string; phase: string }>(
    `SELECT id, phase FROM rollouts WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4
       AND state->'restores'->>'rollout' = $5 AND state->'restores'->>'alarm' IS NOT NULL
     ORDER BY created_at DESC LIMIT 1`,
    [at.tenant, at.environment, at.target, at.name, rollout],
  );
  return rows[0];
}
