import type { Queryable, Transaction } from "../database.ts";

/** Signed statements by the digest of what they are about, and the keys that a tenant trusts for a purpose. */

export interface EvidenceRow {
  id: string;
  subjectDigest: string;
  kind: string;
  predicateType: string;
  keyId: string;
  result: string;
  addedBy: string;
  addedAt: Date;
}

const EVIDENCE = `id, subject_digest AS "subjectDigest", kind, predicate_type AS "predicateType", key_id AS "keyId",
  result, added_by AS "addedBy", added_at AS "addedAt"`;

/** False when the same statement about the same subject was stored before. */
export async function insertEvidence(
  tx: Transaction,
  tenant: string,
  row: EvidenceRow & { bundle: Uint8Array },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO evidence (tenant, id, subject_digest, kind, predicate_type, key_id, result, bundle, added_by, added_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
    [
      tenant,
      row.id,
      row.subjectDigest,
      row.kind,
      row.predicateType,
      row.keyId,
      row.result,
      row.bundle,
      row.addedBy,
      row.addedAt,
    ],
  );
  return rowCount > 0;
}

/** Newest first. `after` is the last row of the page before. */
export async function listEvidence(
  db: Queryable,
  page: { tenant: string; subject?: string; after?: { addedAtMs: number; id: string; subject: string }; limit: number },
): Promise<EvidenceRow[]> {
  const { rows } = await db.query<EvidenceRow>(
    `SELECT ${EVIDENCE} FROM evidence
     WHERE tenant = $1 AND ($2::text IS NULL OR subject_digest = $2)
       AND ($3::timestamptz IS NULL OR (date_trunc('milliseconds', added_at), id, subject_digest) < ($3, $4, $5))
     ORDER BY date_trunc('milliseconds', added_at) DESC, id DESC, subject_digest DESC LIMIT $6`,
    [
      page.tenant,
      page.subject ?? null,
      page.after === undefined ? null : new Date(page.after.addedAtMs),
      page.after?.id ?? null,
      page.after?.subject ?? null,
      page.limit,
    ],
  );
  return rows;
}

/**
 * The stored bytes of statements of a kind about a subject, verified by whoever reads them. Those that say that all
 * passed come first, then the newest, so that no number of others pushes one out.
 */
export async function evidenceBundles(
  db: Queryable,
  about: { tenant: string; subjectDigest: string; kind: string },
): Promise<Buffer[]> {
  const { rows } = await db.query<{ bundle: Buffer }>(
    "SELECT bundle FROM evidence WHERE tenant = $1 AND subject_digest = $2 AND kind = $3 ORDER BY added_at DESC, id LIMIT 50",
    [about.tenant, about.subjectDigest, about.kind],
  );
  return rows.map((row) => row.bundle);
}

export interface TrustedKeyRow {
  keyId: string;
  purpose: string;
  spkiPem: string;
  addedBy: string;
  addedAt: Date;
  revokedAt: Date | null;
}

const KEY = `key_id AS "keyId", purpose, spki_pem AS "spkiPem", added_by AS "addedBy", added_at AS "addedAt", revoked_at AS "revokedAt"`;

/** Keys that count now. */
export async function trustedKeys(db: Queryable, tenant: string, purpose: string): Promise<TrustedKeyRow[]> {
  const { rows } = await db.query<TrustedKeyRow>(
    `SELECT ${KEY} FROM trusted_keys WHERE tenant = $1 AND purpose = $2 AND revoked_at IS NULL`,
    [tenant, purpose],
  );
  return rows;
}

/** A key that was revoked and is imported again is trusted again, by whoever imported it. */
export async function upsertTrustedKey(
  tx: Transaction,
  key: { tenant: string; purpose: string; keyId: string; spkiPem: string; addedBy: string; addedAtMs: number },
): Promise<TrustedKeyRow | undefined> {
  const { rows } = await tx.query<TrustedKeyRow>(
    `INSERT INTO trusted_keys AS k (tenant, purpose, key_id, spki_pem, added_by, added_at) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (tenant, purpose, key_id) DO UPDATE SET
       added_by = CASE WHEN k.revoked_at IS NULL THEN k.added_by ELSE $5 END,
       added_at = CASE WHEN k.revoked_at IS NULL THEN k.added_at ELSE $6 END,
       revoked_at = NULL
     RETURNING ${KEY}`,
    [key.tenant, key.purpose, key.keyId, key.spkiPem, key.addedBy, new Date(key.addedAtMs)],
  );
  return rows[0];
}

export async function revokeTrustedKey(
  tx: Transaction,
  key: { tenant: string; purpose: string; keyId: string; atMs: number },
): Promise<TrustedKeyRow | undefined> {
  const { rows } = await tx.query<TrustedKeyRow>(
    `UPDATE trusted_keys SET revoked_at = coalesce(revoked_at, $4) WHERE tenant = $1 AND purpose = $2 AND key_id = $3 RETURNING ${KEY}`,
    [key.tenant, key.purpose, key.keyId, new Date(key.atMs)],
  );
  return rows[0];
}

export async function listTrustedKeys(
  db: Queryable,
  page: { tenant: string; after?: { purpose: string; keyId: string }; limit: number },
): Promise<TrustedKeyRow[]> {
  const { rows } = await db.query<TrustedKeyRow>(
    `SELECT ${KEY} FROM trusted_keys
     WHERE tenant = $1 AND ($2::text IS NULL OR (purpose, key_id) > ($2, $3)) ORDER BY purpose, key_id LIMIT $4`,
    [page.tenant, page.after?.purpose ?? null, page.after?.keyId ?? null, page.limit],
  );
  return rows;
}
