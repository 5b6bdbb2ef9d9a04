import type { EndpointRef } from "../../core/rollout/rollout.ts";
import type { Queryable, Transaction } from "../database.ts";

/** Statements that people were given to sign and what came of them, and the keys that they sign with. */

export type StatementKind = "rollout" | "policy" | "key";

export interface StatementRow {
  nonce: string;
  principal: string;
  kind: StatementKind;
  about: string;
  statement: Buffer;
  submitBefore: Date;
  consumedAt: Date | null;
  bundle: Buffer | null;
  keyId: string | null;
  stepUp: "totp" | "passkey" | null;
}

const STATEMENT = `nonce, principal, kind, about, statement, submit_before AS "submitBefore", consumed_at AS "consumedAt",
  bundle, key_id AS "keyId", step_up AS "stepUp"`;

/** How many statements one person may have open; the oldest go first. */
const OPEN_MAX = 16;

export interface NewStatement {
  tenant: string;
  nonce: string;
  principal: string;
  kind: StatementKind;
  about: string;
  statement: Uint8Array;
  createdAtMs: number;
  submitBeforeMs: number;
  /** Of a broken glass. */
  reason?: string | undefined;
}

/** Stores a statement, and removes of the same person's what is too old or too many. */
export async function insertStatement(tx: Transaction, row: NewStatement): Promise<void> {
  await tx.query(
    `INSERT INTO approval_statements
       (tenant, nonce, principal, kind, about, statement, created_at, submit_before, reason)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      ...[row.tenant, row.nonce, row.principal, row.kind, row.about, row.statement],
      ...[new Date(row.createdAtMs), new Date(row.submitBeforeMs), row.reason ?? null],
    ],
  );
  await tx.query(
    `DELETE FROM approval_statements WHERE (tenant, nonce) IN (
       SELECT tenant, nonce FROM approval_statements
       WHERE tenant = $1 AND principal = $2 AND consumed_at IS NULL AND nonce <> $3
       ORDER BY (submit_before > $4) DESC, created_at DESC OFFSET $5)`,
    [row.tenant, row.principal, row.nonce, new Date(row.createdAtMs), OPEN_MAX - 1],
  );
}

export async function readStatement(db: Queryable, tenant: string, nonce: string): Promise<StatementRow | undefined> {
  const { rows } = await db.query<StatementRow>(
    `SELECT ${STATEMENT} FROM approval_statements WHERE tenant = $1 AND nonce = $2`,
    [tenant, nonce],
  );
  return rows[0];
}

/** Uses a statement up. False when somebody did so before: of two that come at once, one. */
export async function consumeStatement(
  tx: Transaction,
  use: {
    tenant: string;
    nonce: string;
    principal: string;
    atMs: number;
    bundle: Uint8Array | null;
    keyId: string | null;
    stepUp: "totp" | "passkey" | null;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE approval_statements SET consumed_at = $4, bundle = $5, key_id = $6, step_up = $7
     WHERE tenant = $1 AND nonce = $2 AND principal = $3 AND consumed_at IS NULL AND submit_before > $4`,
    [use.tenant, use.nonce, use.principal, new Date(use.atMs), use.bundle, use.keyId, use.stepUp],
  );
  return rowCount > 0;
}

/** A used statement with what is known now of the person who used it. */
export interface UsedStatementRow extends StatementRow {
  personKind: string;
  roles: string[];
  /** Keys that count now. */
  keys: { keyId: string; spkiPem: string }[] | null;
}

/** Every statement that was used about one thing. */
export async function usedStatements(
  db: Queryable,
  at: { tenant: string; kind: StatementKind; about: string },
): Promise<UsedStatementRow[]> {
  const { rows } = await db.query<UsedStatementRow>(
    `SELECT s.nonce, s.principal, s.kind, s.about, s.statement, s.submit_before AS "submitBefore",
       s.consumed_at AS "consumedAt", s.bundle, s.key_id AS "keyId", s.step_up AS "stepUp",
       p.kind AS "personKind", p.roles,
       (SELECT json_agg(json_build_object('keyId', k.key_id, 'spkiPem', k.spki_pem)) FROM approver_keys k
        WHERE k.tenant = s.tenant AND k.principal = s.principal AND k.revoked_at IS NULL) AS keys
     FROM approval_statements s JOIN principals p ON p.tenant = s.tenant AND p.id = s.principal
     WHERE s.tenant = $1 AND s.kind = $2 AND s.about = $3 AND s.consumed_at IS NOT NULL`,
    [at.tenant, at.kind, at.about],
  );
  return rows;
}

export interface ApproverKeyRow {
  keyId: string;
  principal: string;
  kind: "cosign" | "webcrypto";
  label: string;
  spkiPem: string;
  addedAt: Date;
  revokedAt: Date | null;
}

const KEY = `key_id AS "keyId", principal, kind, label, spki_pem AS "spkiPem", added_at AS "addedAt", revoked_at AS "revokedAt"`;

/** False when the key is known already, whoever's it is. */
export async function insertApproverKey(
  tx: Transaction,
  tenant: string,
  row: Omit<ApproverKeyRow, "revokedAt">,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO approver_keys (tenant, key_id, principal, kind, label, spki_pem, added_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
    [tenant, row.keyId, row.principal, row.kind, row.label, row.spkiPem, row.addedAt],
  );
  return rowCount > 0;
}

export async function readApproverKey(
  db: Queryable,
  tenant: string,
  keyId: string,
): Promise<ApproverKeyRow | undefined> {
  const { rows } = await db.query<ApproverKeyRow>(
    `SELECT ${KEY} FROM approver_keys WHERE tenant = $1 AND key_id = $2`,
    [tenant, keyId],
  );
  return rows[0];
}

/** The keys of one person, newest first; revoked ones too. */
export async function listApproverKeys(
  db: Queryable,
  page: { tenant: string; principal: string; after?: { addedAtMs: number; keyId: string }; limit: number },
): Promise<ApproverKeyRow[]> {
  const { rows } = await db.query<ApproverKeyRow>(
    `SELECT ${KEY} FROM approver_keys WHERE tenant = $1 AND principal = $2
       AND ($3::timestamptz IS NULL OR (added_at, key_id) < ($3, $4))
     ORDER BY added_at DESC, key_id DESC LIMIT $5`,
    [
      ...[page.tenant, page.principal],
      ...[page.after === undefined ? null : new Date(page.after.addedAtMs), page.after?.keyId ?? null, page.limit],
    ],
  );
  return rows;
}

/** A person's keys that count now. In a transaction with `lock` they go on counting until it ends. */
export async function countingApproverKeys(
  db: Queryable,
  person: { tenant: string; principal: string; lock?: boolean },
): Promise<{ keyId: string; spkiPem: string }[]> {
  const { rows } = await db.query<{ keyId: string; spkiPem: string }>(
    `SELECT key_id AS "keyId", spki_pem AS "spkiPem" FROM approver_keys
     WHERE tenant = $1 AND principal = $2 AND revoked_at IS NULL ${person.lock === true ? "FOR SHARE" : ""}`,
    [person.tenant, person.principal],
  );
  return rows;
}

/** The key as it is then; undefined when it is not this person's. */
export async function revokeApproverKey(
  tx: Transaction,
  key: { tenant: string; principal: string; keyId: string; atMs: number },
): Promise<ApproverKeyRow | undefined> {
  const { rows } = await tx.query<ApproverKeyRow>(
    `UPDATE approver_keys SET revoked_at = coalesce(revoked_at, $4)
     WHERE tenant = $1 AND principal = $2 AND key_id = $3 RETURNING ${KEY}`,
    [key.tenant, key.principal, key.keyId, new Date(key.atMs)],
  );
  return rows[0];
}

/** All of a person's keys at once. Answers how many counted until then. */
export async function revokeApproverKeysOf(
  tx: Transaction,
  { tenant, principal, atMs }: { tenant: string; principal: string; atMs: number },
): Promise<number> {
  const { rowCount } = await tx.query(
    "UPDATE approver_keys SET revoked_at = $3 WHERE tenant = $1 AND principal = $2 AND revoked_at IS NULL",
    [tenant, principal, new Date(atMs)],
  );
  return rowCount;
}

/** Whether the tenant trusts the key for something: then it is nobody's own. */
export async function isTenantKey(db: Queryable, tenant: string, keyId: string): Promise<boolean> {
  const { rowCount } = await db.query("SELECT 1 FROM trusted_keys WHERE tenant = $1 AND key_id = $2", [tenant, keyId]);
  return rowCount > 0;
}

export interface BreakGlassRow {
  nonce: string;
  rollout: string;
  environment: EndpointRef["environment"];
  target: EndpointRef["target"];
  name: string;
  planDigest: string;
  by: string;
  reason: string;
  consumedAt: Date;
  keyId: string;
  reviewedBy: string | null;
  reviewedAt: Date | null;
  verdict: "justified" | "not-justified" | null;
  comment: string | null;
}

const GLASS = `SELECT s.nonce, s.about AS rollout, r.environment, r.target, r.name, r.plan_digest AS "planDigest",
    s.principal AS by, s.reason, s.consumed_at AS "consumedAt", s.key_id AS "keyId", s.reviewed_by AS "reviewedBy",
    s.reviewed_at AS "reviewedAt", s.review_verdict AS verdict, s.review_comment AS comment
  FROM approval_statements s JOIN rollouts r ON r.tenant = s.tenant AND r.id = s.about
  WHERE s.tenant = $1 AND s.kind = 'rollout' AND s.reason IS NOT NULL AND s.consumed_at IS NOT NULL`;

/** Newest first. */
export async function listBrokenGlass(
  db: Queryable,
  page: { tenant: string; open: boolean; after?: { atMs: number; nonce: string }; limit: number },
): Promise<BreakGlassRow[]> {
  const { rows } = await db.query<BreakGlassRow>(
    `${GLASS} AND ($2::boolean IS FALSE OR s.reviewed_at IS NULL)
       AND ($3::timestamptz IS NULL OR (s.consumed_at, s.nonce) < ($3, $4))
     ORDER BY s.consumed_at DESC, s.nonce DESC LIMIT $5`,
    [
      ...[page.tenant, page.open, page.after === undefined ? null : new Date(page.after.atMs)],
      ...[page.after?.nonce ?? null, page.limit],
    ],
  );
  return rows;
}

/** The broken glass of a rollout, locked for its review; several where more than one person broke it. */
export async function lockBrokenGlass(tx: Transaction, tenant: string, rollout: string): Promise<BreakGlassRow[]> {
  const { rows } = await tx.query<BreakGlassRow>(`${GLASS} AND s.about = $2 ORDER BY s.consumed_at FOR UPDATE OF s`, [
    tenant,
    rollout,
  ]);
  return rows;
}

export async function recordReview(
  tx: Transaction,
  review: { tenant: string; nonce: string; by: string; atMs: number; verdict: string; comment: string },
): Promise<void> {
  await tx.query(
    `UPDATE approval_statements SET reviewed_by = $3, reviewed_at = $4, review_verdict = $5, review_comment = $6
     WHERE tenant = $1 AND nonce = $2 AND reviewed_at IS NULL`,
    [review.tenant, review.nonce, review.by, new Date(review.atMs), review.verdict, review.comment],
  );
}

/** Rollouts that wait for people and were decided under another policy than the one in force now. */
export async function waitingUnderOtherPolicy(db: Queryable, tenant: string, policyDigest: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM rollouts WHERE tenant = $1 AND NOT terminal AND phase IN ('AwaitingApproval', 'Proposed')
       AND state ->> 'policyDigest' <> $2 ORDER BY created_at, id`,
    [tenant, policyDigest],
  );
  return rows.map(({ id }) => id);
}
