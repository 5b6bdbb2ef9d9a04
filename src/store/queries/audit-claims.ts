import type { Queryable } from "../database.ts";

/** What the audit log can be held against: the rollouts, their events, plans and evidence as they are stored. */

export interface StoredEvent {
  rollout: string;
  sequence: number;
  at: Date;
  type: string;
  phase: string;
  weightPercent: number;
  actor: string;
  payload: Record<string, unknown>;
}

const EVENT = `rollout, sequence, at, type, phase, weight_percent AS "weightPercent", actor, payload`;

/** The events at those places, as many as there are. */
export async function eventsAt(
  db: Queryable,
  tenant: string,
  places: readonly { rollout: string; sequence: number }[],
): Promise<StoredEvent[]> {
  const { rows } = await db.query<StoredEvent>(
    `SELECT ${EVENT} FROM rollout_events
     WHERE tenant = $1 AND (rollout, sequence) IN (SELECT * FROM unnest($2::text[], $3::bigint[]))`,
    [tenant, places.map(({ rollout }) => rollout), places.map(({ sequence }) => sequence)],
  );
  return rows;
}

/** A rollout's whole history, oldest first. */
export async function eventsOf(db: Queryable, tenant: string, rollout: string): Promise<StoredEvent[]> {
  const { rows } = await db.query<StoredEvent>(
    `SELECT ${EVENT} FROM rollout_events WHERE tenant = $1 AND rollout = $2 ORDER BY sequence`,
    [tenant, rollout],
  );
  return rows;
}

export async function decisionsOf(
  db: Queryable,
  tenant: string,
  rollouts: readonly string[],
): Promise<{ rollout: string; decision: unknown }[]> {
  const { rows } = await db.query<{ rollout: string; decision: unknown }>(
    "SELECT id AS rollout, decision FROM rollouts WHERE tenant = $1 AND id = ANY ($2)",
    [tenant, rollouts],
  );
  return rows;
}

export interface RolloutPlace {
  rollout: string;
  sequence: number;
  phase: string;
  planDigest: string;
  /** Retention took its events. */
  forgotten: boolean;
  /** Of the newest event; null when there is none. */
  newestEvent: number | null;
}

/** Where each rollout stands, without those of which something waits for its place in the log. */
export async function rolloutPlaces(db: Queryable, tenant: string): Promise<RolloutPlace[]> {
  const { rows } = await db.query<RolloutPlace>(
    `SELECT id AS rollout, sequence, phase, plan_digest AS "planDigest", events_removed_at IS NOT NULL AS forgotten,
       (SELECT max(e.sequence) FROM rollout_events e WHERE e.tenant = r.tenant AND e.rollout = r.id) AS "newestEvent"
     FROM rollouts r WHERE tenant = $1 AND NOT EXISTS (
       SELECT FROM audit_entries a WHERE a.tenant = $1 AND a.subject = r.id AND a.position IS NULL)`,
    [tenant],
  );
  return rows;
}

/** Stored bytes that are not those of their digest. */
export async function changedContent(db: Queryable, tenant: string): Promise<string[]> {
  const { rows } = await db.query<{ what: string }>(
    `SELECT 'the plan ' || digest AS what FROM plans
     WHERE tenant = $1 AND digest <> 'sha256:' || encode(sha256(bytes), 'hex')
     UNION ALL SELECT 'the evidence ' || id FROM evidence
     WHERE tenant = $1 AND id <> 'sha256:' || encode(sha256(bundle), 'hex')
     LIMIT 3`,
    [tenant],
  );
  return rows.map(({ what }) => what);
}

/** What was taken in, by statement and subject, and whether it was revoked. */
export async function evidencePlaces(
  db: Queryable,
  tenant: string,
): Promise<{ bundleDigest: string; subjectDigest: string; revoked: boolean }[]> {
  const { rows } = await db.query<{ bundleDigest: string; subjectDigest: string; revoked: boolean }>(
    `SELECT id AS "bundleDigest", subject_digest AS "subjectDigest", revoked_at IS NOT NULL AS revoked
     FROM evidence WHERE tenant = $1`,
    [tenant],
  );
  return rows;
}

/** The digests of every signed approval that is stored. */
export async function approvalDigests(db: Queryable, tenant: string): Promise<string[]> {
  const { rows } = await db.query<{ digest: string }>(
    `SELECT 'sha256:' || encode(sha256(bundle), 'hex') AS digest FROM approval_statements
     WHERE tenant = $1 AND bundle IS NOT NULL`,
    [tenant],
  );
  return rows.map(({ digest }) => digest);
}
