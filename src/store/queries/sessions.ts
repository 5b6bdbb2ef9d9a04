import type { Queryable, Transaction } from "../database.ts";
import type { PrincipalRow } from "./principals.ts";

/** Sessions of people's browsers. A cookie is known here by its SHA-256 alone. */

export type SessionMethod = "passkey" | "oidc";

export interface SessionRow {
  id: string;
  method: SessionMethod;
  createdAt: Date;
  seenAt: Date;
  expiresAt: Date;
}

const SESSION = `s.id, s.method, s.created_at AS "createdAt", s.seen_at AS "seenAt", s.expires_at AS "expiresAt"`;

/** Which sessions count at a moment: open, not over, and seen after `seenAfterMs`. */
export interface Moment {
  nowMs: number;
  seenAfterMs: number;
}

/**
 * The person of a session that counts now, with what the session was given and the person still has. Nobody knows the
 * tenant yet, so the database's owner looks, for exactly this hash.
 */
export async function principalBySession(
  db: Queryable,
  secretHash: Uint8Array,
  moment: Moment,
): Promise<(PrincipalRow & { session: SessionRow }) | undefined> {
  const { rows } = await db.query<PrincipalRow & SessionRow & { principal: string }>(
    `SELECT s.tenant, s.principal, s.kind, s.owner,
       ARRAY(SELECT unnest(s.roles) INTERSECT SELECT unnest(s.principal_roles)) AS roles, ${SESSION}
     FROM reveal_session($1) s WHERE s.ended_at IS NULL AND s.expires_at > $2 AND s.seen_at > $3`,
    [secretHash, new Date(moment.nowMs), new Date(moment.seenAfterMs)],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { tenant, principal, kind, owner, roles, ...session } = row;
  return { tenant, id: principal, kind, owner, roles, session };
}

export async function insertSession(
  tx: Transaction,
  session: {
    tenant: string;
    id: string;
    principal: string;
    secretHash: Uint8Array;
    method: SessionMethod;
    roles: readonly string[];
    createdAtMs: number;
    expiresAtMs: number;
  },
): Promise<void> {
  const createdAt = new Date(session.createdAtMs);
  await tx.query(
    `INSERT INTO sessions (tenant, id, principal, secret_hash, method, roles, created_at, seen_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
    [
      ...[session.tenant, session.id, session.principal, session.secretHash, session.method, [...session.roles]],
      ...[createdAt, new Date(session.expiresAtMs)],
    ],
  );
}

/** Time moves forward only: of two requests at once the later one counts. */
export async function touchSession(
  db: Queryable,
  session: { tenant: string; id: string; seenAtMs: number },
): Promise<void> {
  await db.query("UPDATE sessions SET seen_at = $3 WHERE tenant = $1 AND id = $2 AND seen_at < $3", [
    ...[session.tenant, session.id, new Date(session.seenAtMs)],
  ]);
}

export async function sessionsOf(
  db: Queryable,
  of: { tenant: string; principal: string },
  moment: Moment,
): Promise<SessionRow[]> {
  const { rows } = await db.query<SessionRow>(
    `SELECT ${SESSION} FROM sessions s
     WHERE tenant = $1 AND principal = $2 AND ended_at IS NULL AND expires_at > $3 AND seen_at > $4
     ORDER BY created_at DESC, id`,
    [of.tenant, of.principal, new Date(moment.nowMs), new Date(moment.seenAfterMs)],
  );
  return rows;
}

/** Ends one session of a person, or all of them; answers the ids of those that were open. */
export async function endSessions(
  tx: Transaction,
  which: { tenant: string; principal: string; id?: string; atMs: number },
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `UPDATE sessions SET ended_at = $4
     WHERE tenant = $1 AND principal = $2 AND ($3::text IS NULL OR id = $3) AND ended_at IS NULL RETURNING id`,
    [which.tenant, which.principal, which.id ?? null, new Date(which.atMs)],
  );
  return rows.map(({ id }) => id);
}

/** Rows of sessions that have long been over say nothing that the audit log does not. */
export async function forgetSessions(
  tx: Transaction,
  of: { tenant: string; principal: string; overBeforeMs: number },
): Promise<void> {
  await tx.query("DELETE FROM sessions WHERE tenant = $1 AND principal = $2 AND expires_at < $3", [
    ...[of.tenant, of.principal, new Date(of.overBeforeMs)],
  ]);
}
