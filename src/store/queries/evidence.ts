import type { Rollout } from "../../core/rollout/rollout.ts";
import { upgradeRollout } from "../../core/rollout/upgrade-rollout.ts";
import type { Queryable, Transaction } from "../database.ts";

/** Signed statements by the digest of what they are about. Whoever reads one judges it anew. */

export interface EvidenceRow {
  id: string;
  subjectDigest: string;
  kind: string;
  predicateType: string;
  /** Of the key, or of the identity when `issuer` and `subject` are there. */
  keyId: string;
  issuer: string | null;
  subject: string | null;
  result: string;
  addedBy: string;
  addedAt: Date;
  /** When a log or a timestamp authority saw it; null where only `addedAt` is known. */
  provenAt: Date | null;
  revokedAt: Date | null;
  revokedBy: string | null;
  revokeReason: string | null;
}

const EVIDENCE = `id, subject_digest AS "subjectDigest", kind, predicate_type AS "predicateType", key_id AS "keyId",
  issuer, subject, result, added_by AS "addedBy", added_at AS "addedAt", proven_at AS "provenAt",
  revoked_at AS "revokedAt", revoked_by AS "revokedBy", revoke_reason AS "revokeReason"`;

/** False when the same statement about the same subject was stored before: it keeps its age, and its revocation. */
export async function insertEvidence(
  tx: Transaction,
  tenant: string,
  row: Omit<EvidenceRow, "revokedAt" | "revokedBy" | "revokeReason"> & { bundle: Uint8Array; signature: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO evidence (tenant, id, subject_digest, kind, predicate_type, key_id, issuer, subject, result, bundle,
       added_by, added_at, proven_at, signature)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
    [
      ...[tenant, row.id, row.subjectDigest, row.kind, row.predicateType, row.keyId, row.issuer, row.subject],
      ...[row.result, row.bundle, row.addedBy, row.addedAt, row.provenAt, row.signature],
    ],
  );
  return rowCount > 0;
}

/** Every subject that a piece speaks of, oldest first. */
export async function readEvidence(db: Queryable, tenant: string, id: string): Promise<EvidenceRow[]> {
  const { rows } = await db.query<EvidenceRow>(
    `SELECT ${EVIDENCE} FROM evidence WHERE tenant = $1 AND id = $2 ORDER BY added_at, subject_digest`,
    [tenant, id],
  );
  return rows;
}

/** What is stored with exactly this signature, whatever the bundle looks like. */
export async function readBySignature(db: Queryable, tenant: string, signature: string): Promise<EvidenceRow[]> {
  const { rows } = await db.query<EvidenceRow>(
    `SELECT ${EVIDENCE} FROM evidence WHERE tenant = $1 AND signature = $2 ORDER BY added_at, subject_digest`,
    [tenant, signature],
  );
  return rows;
}

/** Takes a piece out of force for all its subjects, for good. Answers those that it counted for until now. */
export async function revokeEvidence(
  tx: Transaction,
  at: { tenant: string; id: string; by: string; reason: string; atMs: number },
): Promise<string[]> {
  const { rows } = await tx.query<{ subjectDigest: string }>(
    `UPDATE evidence SET revoked_at = $3, revoked_by = $4, revoke_reason = $5
     WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL RETURNING subject_digest AS "subjectDigest"`,
    [at.tenant, at.id, new Date(at.atMs), at.by, at.reason],
  );
  return rows.map(({ subjectDigest }) => subjectDigest);
}

/** Newest first. `after` is the last row of the page before. */
export async function listEvidence(
  db: Queryable,
  page: {
    tenant: string;
    subject?: string;
    kind?: string;
    after?: { addedAtMs: number; id: string; subject: string };
    limit: number;
  },
): Promise<EvidenceRow[]> {
  const { rows } = await db.query<EvidenceRow>(
    `SELECT ${EVIDENCE} FROM evidence
     WHERE tenant = $1 AND ($2::text IS NULL OR subject_digest = $2) AND ($3::text IS NULL OR kind = $3)
       AND ($4::timestamptz IS NULL OR (date_trunc('milliseconds', added_at), id, subject_digest) < ($4, $5, $6))
     ORDER BY date_trunc('milliseconds', added_at) DESC, id DESC, subject_digest DESC LIMIT $7`,
    [
      page.tenant,
      page.subject ?? null,
      page.kind ?? null,
      page.after === undefined ? null : new Date(page.after.addedAtMs),
      page.after?.id ?? null,
      page.after?.subject ?? null,
      page.limit,
    ],
  );
  return rows;
}

export interface EvidencePiece {
  id: string;
  kind: string;
  subjectDigest: string;
  bundle: Buffer;
  addedAt: Date;
  provenAt: Date | null;
}

/**
 * The stored bytes of statements about these subjects that nobody revoked, newest first: of each kind and subject at
 * most the newest 50, among those whose signer is trusted now, so that no number of others pushes one out.
 */
export async function evidencePieces(
  db: Queryable,
  tenant: string,
  subjects: readonly string[],
): Promise<EvidencePiece[]> {
  const { rows } = await db.query<EvidencePiece>(
    `SELECT id, kind, subject_digest AS "subjectDigest", bundle, added_at AS "addedAt", proven_at AS "provenAt"
     FROM (
       SELECT e.*, row_number() OVER (PARTITION BY kind, subject_digest ORDER BY added_at DESC, id) AS place
       FROM evidence e
       WHERE tenant = $1 AND subject_digest = ANY ($2::text[]) AND revoked_at IS NULL
         AND (EXISTS (SELECT FROM trusted_keys k
                WHERE k.tenant = e.tenant AND k.key_id = e.key_id AND k.revoked_at IS NULL)
           OR EXISTS (SELECT FROM trusted_identities i
                WHERE i.tenant = e.tenant AND i.id = e.key_id AND i.revoked_at IS NULL))) AS counted
     WHERE place <= 50 ORDER BY added_at DESC, id`,
    [tenant, subjects],
  );
  return rows;
}

/** What a signer said something about that still counts, however it was named: what changes when the signer goes. */
export async function subjectsOfSigner(db: Queryable, tenant: string, signerId: string): Promise<string[]> {
  const { rows } = await db.query<{ subjectDigest: string }>(
    `SELECT DISTINCT subject_digest AS "subjectDigest" FROM evidence
     WHERE tenant = $1 AND key_id = $2 AND revoked_at IS NULL`,
    [tenant, signerId],
  );
  return rows.map(({ subjectDigest }) => subjectDigest);
}

/**
 * Locks the rollouts that wait for people and whose plan, artifact or image is one of these (null: any), oldest first,
 * until the transaction ends. Simulations need no evidence.
 */
export async function lockWaitingOn(
  tx: Transaction,
  tenant: string,
  subjects: readonly string[] | null,
): Promise<Rollout[]> {
  const { rows } = await tx.query<{ state: Rollout }>(
    `SELECT state FROM rollouts
     WHERE tenant = $1 AND NOT terminal AND phase = 'AwaitingApproval' AND NOT simulation
       AND ($2::text[] IS NULL OR plan_digest = ANY ($2)
         OR substr(state #>> '{plan,spec,model,artifact}', 7) = ANY ($2)
         OR split_part(state #>> '{plan,spec,model,image}', '@', 2) = ANY ($2))
     ORDER BY created_at, id FOR UPDATE`,
    [tenant, subjects],
  );
  return rows.map(({ state }) => upgradeRollout(state));
}

/** Rollouts of every tenant that wait for more approvals than they have, at most a thousand, oldest first. */
export async function openApproved(db: Queryable): Promise<Rollout[]> {
  const { rows } = await db.query<{ state: Rollout }>(
    `SELECT state FROM rollouts
     WHERE NOT terminal AND phase = 'AwaitingApproval' AND NOT simulation
       AND jsonb_array_length(state -> 'approvals') > 0
     ORDER BY created_at, id LIMIT 1000`,
  );
  return rows.map(({ state }) => upgradeRollout(state));
}
