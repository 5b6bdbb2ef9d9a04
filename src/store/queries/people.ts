import type { Queryable, Transaction } from "../database.ts";

/** How people come in: one-time codes, what browsers were asked, links to an identity provider, and failed attempts. */

export interface EnrolmentRow {
  tenant: string;
  id: string;
  principal: string;
  createdBy: string;
  expiresAt: Date;
}

const ENROLMENT = `tenant, id, principal, created_by AS "createdBy", expires_at AS "expiresAt"`;

export async function insertEnrolment(
  tx: Transaction,
  row: {
    tenant: string;
    id: string;
    principal: string;
    secretHash: Uint8Array;
    createdBy: string;
    createdAtMs: number;
    expiresAtMs: number;
  },
): Promise<void> {
  // A newer code replaces the older ones: a link that was sent to the wrong place must not go on working.
  await forgetEnrolments(tx, row.tenant, row.principal);
  await tx.query(
    `INSERT INTO enrolments (tenant, id, principal, secret_hash, created_by, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [
      ...[row.tenant, row.id, row.principal, row.secretHash, row.createdBy],
      ...[new Date(row.createdAtMs), new Date(row.expiresAtMs)],
    ],
  );
}

/** What was given out and not used opens nothing any more. Answers how many codes that were. */
export async function forgetEnrolments(tx: Transaction, tenant: string, principal: string): Promise<number> {
  const { rowCount } = await tx.query(
    "DELETE FROM enrolments WHERE tenant = $1 AND principal = $2 AND used_at IS NULL",
    [tenant, principal],
  );
  return rowCount;
}

/** Whatever changes a person's ways in happens one after the other. */
export async function lockPerson(tx: Transaction, tenant: string, id: string): Promise<void> {
  await tx.query("SELECT FROM principals WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE", [tenant, id]);
}

/** The tenant of a code, whatever became of it; asked before anybody knows whose it is. */
export async function tenantOfEnrolment(db: Queryable, secretHash: Uint8Array): Promise<string | undefined> {
  const { rows } = await db.query<{ tenant: string | null }>("SELECT tenant_of_enrolment($1) AS tenant", [secretHash]);
  return rows[0]?.tenant ?? undefined;
}

/** The enrolment that a code opens now. */
export async function enrolmentByCode(
  db: Queryable,
  secretHash: Uint8Array,
  nowMs: number,
): Promise<EnrolmentRow | undefined> {
  const { rows } = await db.query<EnrolmentRow>(
    `SELECT ${ENROLMENT} FROM enrolments WHERE secret_hash = $1 AND used_at IS NULL AND expires_at > $2`,
    [secretHash, new Date(nowMs)],
  );
  return rows[0];
}

/** Uses the code up. Of two that come at once, one hears undefined. */
export async function consumeEnrolment(
  tx: Transaction,
  secretHash: Uint8Array,
  nowMs: number,
): Promise<EnrolmentRow | undefined> {
  const { rows } = await tx.query<EnrolmentRow>(
    `UPDATE enrolments SET used_at = $2 WHERE secret_hash = $1 AND used_at IS NULL AND expires_at > $2
     RETURNING ${ENROLMENT}`,
    [secretHash, new Date(nowMs)],
  );
  return rows[0];
}

export type ChallengePurpose = "sign-in" | "enrolment" | "oidc";

export async function insertChallenge(
  db: Queryable,
  challenge: { hash: Uint8Array; purpose: ChallengePurpose; details: object; nowMs: number; expiresAtMs: number },
): Promise<void> {
  await db.query(
    `WITH expired AS (DELETE FROM sign_in_challenges WHERE expires_at <= $4)
     INSERT INTO sign_in_challenges (challenge_hash, purpose, details, expires_at) VALUES ($1, $2, $3, $5)`,
    [
      ...[challenge.hash, challenge.purpose, JSON.stringify(challenge.details)],
      ...[new Date(challenge.nowMs), new Date(challenge.expiresAtMs)],
    ],
  );
}

/** What was asked, which nobody can answer a second time. */
export async function takeChallenge(
  db: Queryable,
  challenge: { hash: Uint8Array; purpose: ChallengePurpose; nowMs: number },
): Promise<Record<string, unknown> | undefined> {
  const { rows } = await db.query<{ details: Record<string, unknown>; alive: boolean }>(
    `DELETE FROM sign_in_challenges WHERE challenge_hash = $1 AND purpose = $2 RETURNING details, expires_at > $3 AS alive`,
    [challenge.hash, challenge.purpose, new Date(challenge.nowMs)],
  );
  return rows[0]?.alive === true ? rows[0].details : undefined;
}

/** The principal that somebody of the identity provider is; undefined when they were never here. */
export async function linkedPrincipal(
  db: Queryable,
  who: { tenant: string; issuer: string; subject: string },
): Promise<string | undefined> {
  const { rows } = await db.query<{ principal: string }>(
    "SELECT principal FROM people_links WHERE tenant = $1 AND issuer = $2 AND subject = $3",
    [who.tenant, who.issuer, who.subject],
  );
  return rows[0]?.principal;
}

export async function personLinked(db: Queryable, tenant: string, principal: string): Promise<boolean> {
  const { rowCount } = await db.query("SELECT FROM people_links WHERE tenant = $1 AND principal = $2", [
    ...[tenant, principal],
  ]);
  return rowCount > 0;
}

export async function linkPrincipal(
  tx: Transaction,
  link: { tenant: string; issuer: string; subject: string; principal: string; atMs: number },
): Promise<void> {
  await tx.query(
    "INSERT INTO people_links (tenant, issuer, subject, principal, created_at) VALUES ($1, $2, $3, $4, $5)",
    [link.tenant, link.issuer, link.subject, link.principal, new Date(link.atMs)],
  );
}

/** Sets exactly these roles: what an identity provider no longer says is gone, in open sessions too. */
export async function setPersonRoles(
  tx: Transaction,
  person: { tenant: string; id: string; roles: readonly string[] },
): Promise<void> {
  await tx.query("UPDATE principals SET roles = $3 WHERE tenant = $1 AND id = $2 AND kind = 'human'", [
    ...[person.tenant, person.id, [...person.roles]],
  ]);
}

export interface PersonRow {
  id: string;
  roles: string[];
  passkeys: number;
  /** Signs in by the identity provider. */
  linked: boolean;
  lastSeenAt: Date | null;
}

export async function listPeople(
  db: Queryable,
  page: { tenant: string; after?: string; limit: number },
): Promise<PersonRow[]> {
  const { rows } = await db.query<PersonRow>(
    `SELECT p.id, p.roles,
       (SELECT count(*) FROM passkeys k WHERE k.tenant = p.tenant AND k.principal = p.id AND k.removed_at IS NULL) AS passkeys,
       EXISTS (SELECT FROM people_links l WHERE l.tenant = p.tenant AND l.principal = p.id) AS linked,
       (SELECT max(s.seen_at) FROM sessions s WHERE s.tenant = p.tenant AND s.principal = p.id) AS "lastSeenAt"
     FROM principals p
     WHERE p.tenant = $1 AND p.kind = 'human' AND ($2::text IS NULL OR p.id > $2) ORDER BY p.id LIMIT $3`,
    [page.tenant, page.after ?? null, page.limit],
  );
  return rows;
}

/** Until when the longest of these blocks lasts; undefined when none does. */
export async function blockedUntil(
  db: Queryable,
  keyHashes: readonly Uint8Array[],
  nowMs: number,
): Promise<Date | undefined> {
  const { rows } = await db.query<{ until: Date | null }>(
    "SELECT max(blocked_until) AS until FROM sign_in_failures WHERE key_hash = ANY($1::bytea[]) AND blocked_until > $2",
    [[...keyHashes], new Date(nowMs)],
  );
  return rows[0]?.until ?? undefined;
}

/**
 * Counts a failure. The block doubles with each one beyond `freeFailures`, from one second to `blockSecondsMax`; who
 * was quiet since `forgottenBeforeMs` starts anew.
 */
export async function countFailure(
  db: Queryable,
  failure: {
    keyHash: Uint8Array;
    nowMs: number;
    freeFailures: number;
    blockSecondsMax: number;
    forgottenBeforeMs: number;
  },
): Promise<void> {
  const { keyHash, nowMs, freeFailures, blockSecondsMax, forgottenBeforeMs } = failure;
  await db.query(
    `WITH forgotten AS (DELETE FROM sign_in_failures WHERE last_at < $5 AND key_hash <> $1)
     INSERT INTO sign_in_failures AS f (key_hash, failures, last_at, blocked_until) VALUES ($1, 1, $2, $2)
     ON CONFLICT (key_hash) DO UPDATE SET
       failures = CASE WHEN f.last_at < $5 THEN 1 ELSE f.failures + 1 END,
       last_at = $2,
       blocked_until = CASE WHEN f.last_at < $5 OR f.failures + 1 <= $3::int THEN $2::timestamptz
         ELSE $2::timestamptz + make_interval(secs => least($4::int, 2 ^ least(f.failures - $3::int, 20))) END`,
    [keyHash, new Date(nowMs), freeFailures, blockSecondsMax, new Date(forgottenBeforeMs)],
  );
}

export async function forgetFailures(db: Queryable, keyHash: Uint8Array): Promise<void> {
  await db.query("DELETE FROM sign_in_failures WHERE key_hash = $1", [keyHash]);
}
