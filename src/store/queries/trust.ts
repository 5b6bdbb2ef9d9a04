import type { Queryable, Transaction } from "../database.ts";

/** Whom and what a tenant trusts: keys and identities, each for one purpose, builders, freshness limits, a trusted root. */

export interface TrustedKeyRow {
  keyId: string;
  purpose: string;
  spkiPem: string;
  addedBy: string;
  addedAt: Date;
  notAfter: Date | null;
  revokedAt: Date | null;
}

const KEY = `key_id AS "keyId", purpose, spki_pem AS "spkiPem", added_by AS "addedBy", added_at AS "addedAt",
  not_after AS "notAfter", revoked_at AS "revokedAt"`;

/** A key that was revoked and is imported again is trusted again, by whoever imported it. */
export async function upsertTrustedKey(
  tx: Transaction,
  key: Pick<TrustedKeyRow, "purpose" | "keyId" | "spkiPem" | "addedBy" | "notAfter"> & {
    tenant: string;
    addedAtMs: number;
  },
): Promise<TrustedKeyRow | undefined> {
  const { rows } = await tx.query<TrustedKeyRow>(
    `INSERT INTO trusted_keys AS k (tenant, purpose, key_id, spki_pem, added_by, added_at, not_after)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (tenant, purpose, key_id) DO UPDATE SET
       added_by = CASE WHEN k.revoked_at IS NULL THEN k.added_by ELSE $5 END,
       added_at = CASE WHEN k.revoked_at IS NULL THEN k.added_at ELSE $6 END,
       not_after = $7,
       revoked_at = NULL
     RETURNING ${KEY}`,
    [key.tenant, key.purpose, key.keyId, key.spkiPem, key.addedBy, new Date(key.addedAtMs), key.notAfter],
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

export interface TrustedIdentityRow {
  id: string;
  purpose: string;
  issuer: string;
  subject: string;
  addedBy: string;
  addedAt: Date;
  notAfter: Date | null;
  revokedAt: Date | null;
}

const IDENTITY = `id, purpose, issuer, subject, added_by AS "addedBy", added_at AS "addedAt", not_after AS "notAfter",
  revoked_at AS "revokedAt"`;

/** An identity that was revoked and is added again is trusted again, by whoever added it. */
export async function upsertTrustedIdentity(
  tx: Transaction,
  identity: Pick<TrustedIdentityRow, "id" | "purpose" | "issuer" | "subject" | "addedBy" | "notAfter"> & {
    tenant: string;
    addedAtMs: number;
  },
): Promise<TrustedIdentityRow | undefined> {
  const { tenant, purpose, id, issuer, subject, addedBy, notAfter } = identity;
  const { rows } = await tx.query<TrustedIdentityRow>(
    `INSERT INTO trusted_identities AS k (tenant, purpose, id, issuer, subject, added_by, added_at, not_after)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant, purpose, id) DO UPDATE SET
       added_by = CASE WHEN k.revoked_at IS NULL THEN k.added_by ELSE $6 END,
       added_at = CASE WHEN k.revoked_at IS NULL THEN k.added_at ELSE $7 END,
       not_after = $8,
       revoked_at = NULL
     RETURNING ${IDENTITY}`,
    [tenant, purpose, id, issuer, subject, addedBy, new Date(identity.addedAtMs), notAfter],
  );
  return rows[0];
}

export async function revokeTrustedIdentity(
  tx: Transaction,
  identity: { tenant: string; purpose: string; id: string; atMs: number },
): Promise<TrustedIdentityRow | undefined> {
  const { rows } = await tx.query<TrustedIdentityRow>(
    `UPDATE trusted_identities SET revoked_at = coalesce(revoked_at, $4)
     WHERE tenant = $1 AND purpose = $2 AND id = $3 RETURNING ${IDENTITY}`,
    [identity.tenant, identity.purpose, identity.id, new Date(identity.atMs)],
  );
  return rows[0];
}

export async function listTrustedIdentities(
  db: Queryable,
  page: { tenant: string; after?: { purpose: string; id: string }; limit: number },
): Promise<TrustedIdentityRow[]> {
  const { rows } = await db.query<TrustedIdentityRow>(
    `SELECT ${IDENTITY} FROM trusted_identities
     WHERE tenant = $1 AND ($2::text IS NULL OR (purpose, id) > ($2, $3)) ORDER BY purpose, id LIMIT $4`,
    [page.tenant, page.after?.purpose ?? null, page.after?.id ?? null, page.limit],
  );
  return rows;
}

export interface TrustSettingsRow {
  builders: string[];
  /** Seconds, by kind of evidence. */
  maxAgeSeconds: Record<string, unknown>;
  trustedRoot: string | null;
}

/** Everything that counts now, read at one moment. What is past its end is left in: whoever verifies knows the time. */
export interface TrustRow extends TrustSettingsRow {
  keys: { keyId: string; purpose: string; spkiPem: string; notAfterMs: number | null }[];
  identities: { issuer: string; subject: string; purpose: string; notAfterMs: number | null }[];
}

const MS = "floor(extract(epoch FROM not_after) * 1000)";

export async function readTrust(db: Queryable, tenant: string): Promise<TrustRow> {
  const { rows } = await db.query<{ [Name in keyof TrustRow]: TrustRow[Name] | null }>(
    `SELECT s.builders, s.max_age_seconds AS "maxAgeSeconds", s.trusted_root AS "trustedRoot",
       (SELECT json_agg(json_build_object('keyId', key_id, 'purpose', purpose, 'spkiPem', spki_pem, 'notAfterMs', ${MS})
          ORDER BY purpose, key_id) FROM trusted_keys WHERE tenant = $1 AND revoked_at IS NULL) AS keys,
       (SELECT json_agg(json_build_object('issuer', issuer, 'subject', subject, 'purpose', purpose, 'notAfterMs', ${MS})
          ORDER BY purpose, id) FROM trusted_identities WHERE tenant = $1 AND revoked_at IS NULL) AS identities
     FROM (SELECT) AS one LEFT JOIN trust_settings s ON s.tenant = $1`,
    [tenant],
  );
  const row = rows[0];
  return {
    builders: row?.builders ?? [],
    maxAgeSeconds: row?.maxAgeSeconds ?? {},
    trustedRoot: row?.trustedRoot ?? null,
    keys: row?.keys ?? [],
    identities: row?.identities ?? [],
  };
}

export interface TrustSettingsView extends TrustSettingsRow {
  updatedBy: string | null;
  updatedAt: Date | null;
}

/** Locks the row until the transaction ends, so that two changes of different parts are both kept. */
export async function lockTrustSettings(
  tx: Transaction,
  by: { tenant: string; principal: string; atMs: number },
): Promise<TrustSettingsView> {
  await tx.query(
    "INSERT INTO trust_settings (tenant, updated_by, updated_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [by.tenant, by.principal, new Date(by.atMs)],
  );
  return readSettings(tx, by.tenant, "FOR UPDATE");
}

export function readTrustSettings(db: Queryable, tenant: string): Promise<TrustSettingsView> {
  return readSettings(db, tenant, "");
}

async function readSettings(db: Queryable, tenant: string, locking: "" | "FOR UPDATE"): Promise<TrustSettingsView> {
  const { rows } = await db.query<TrustSettingsView>(
    `SELECT builders, max_age_seconds AS "maxAgeSeconds", trusted_root AS "trustedRoot", updated_by AS "updatedBy",
       updated_at AS "updatedAt" FROM trust_settings WHERE tenant = $1 ${locking}`,
    [tenant],
  );
  return rows[0] ?? { builders: [], maxAgeSeconds: {}, trustedRoot: null, updatedBy: null, updatedAt: null };
}

export async function writeTrustSettings(
  tx: Transaction,
  settings: TrustSettingsRow & { tenant: string; updatedBy: string; updatedAtMs: number },
): Promise<void> {
  const { tenant, builders, maxAgeSeconds, trustedRoot, updatedBy, updatedAtMs } = settings;
  await tx.query(
    `UPDATE trust_settings SET builders = $2, max_age_seconds = $3, trusted_root = $4, updated_by = $5, updated_at = $6
     WHERE tenant = $1`,
    [tenant, builders, JSON.stringify(maxAgeSeconds), trustedRoot, updatedBy, new Date(updatedAtMs)],
  );
}
