import type { Queryable, Transaction } from "../database.ts";

/** People's passkeys. One that was removed stays as a row that opens nothing, so that its credential is never taken anew. */

export interface PasskeyRow {
  tenant: string;
  id: string;
  principal: string;
  /** base64url. */
  credentialId: string;
  /** COSE. */
  publicKey: Buffer;
  counter: number;
  userHandle: Buffer;
  transports: string[];
  label: string;
  createdAt: Date;
  lastUsedAt: Date | null;
}

const PASSKEY = `tenant, id, principal, credential_id AS "credentialId", public_key AS "publicKey", counter,
  user_handle AS "userHandle", transports, label, created_at AS "createdAt", last_used_at AS "lastUsedAt"`;

/** Its row is held until the transaction ends, so that its counter rises once. */
export async function lockPasskey(
  tx: Transaction,
  tenant: string,
  credentialId: string,
): Promise<PasskeyRow | undefined> {
  const { rows } = await tx.query<PasskeyRow>(
    `SELECT ${PASSKEY} FROM passkeys WHERE tenant = $1 AND credential_id = $2 AND removed_at IS NULL FOR UPDATE`,
    [tenant, credentialId],
  );
  return rows[0];
}

/** In which tenant a credential is registered; asked before anybody knows whose it is, and proving nothing. */
export async function tenantOfPasskey(db: Queryable, credentialId: string): Promise<string | undefined> {
  const { rows } = await db.query<{ tenant: string | null }>("SELECT tenant_of_passkey($1) AS tenant", [credentialId]);
  return rows[0]?.tenant ?? undefined;
}

export async function passkeyByCredential(
  db: Queryable,
  tenant: string,
  credentialId: string,
): Promise<PasskeyRow | undefined> {
  const { rows } = await db.query<PasskeyRow>(
    `SELECT ${PASSKEY} FROM passkeys WHERE tenant = $1 AND credential_id = $2 AND removed_at IS NULL`,
    [tenant, credentialId],
  );
  return rows[0];
}

export async function passkeysOf(db: Queryable, tenant: string, principal: string): Promise<PasskeyRow[]> {
  const { rows } = await db.query<PasskeyRow>(
    `SELECT ${PASSKEY} FROM passkeys WHERE tenant = $1 AND principal = $2 AND removed_at IS NULL ORDER BY created_at, id`,
    [tenant, principal],
  );
  return rows;
}

/** False when the credential is registered already, whoever's it is. */
export async function insertPasskey(
  tx: Transaction,
  row: Omit<PasskeyRow, "createdAt" | "lastUsedAt"> & { createdAtMs: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO passkeys (tenant, id, principal, credential_id, public_key, counter, user_handle, transports, label, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (credential_id) DO NOTHING`,
    [
      ...[row.tenant, row.id, row.principal, row.credentialId, row.publicKey, row.counter, row.userHandle],
      ...[row.transports, row.label, new Date(row.createdAtMs)],
    ],
  );
  return rowCount > 0;
}

export async function usePasskey(
  tx: Transaction,
  use: { tenant: string; id: string; counter: number; atMs: number },
): Promise<void> {
  await tx.query("UPDATE passkeys SET counter = $3, last_used_at = $4 WHERE tenant = $1 AND id = $2", [
    ...[use.tenant, use.id, use.counter, new Date(use.atMs)],
  ]);
}

/** Answers the ids of those that were removed: one, or all of the person's when none is named. */
export async function removePasskeys(
  tx: Transaction,
  which: { tenant: string; principal: string; id?: string; atMs: number },
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `UPDATE passkeys SET removed_at = $4
     WHERE tenant = $1 AND principal = $2 AND ($3::text IS NULL OR id = $3) AND removed_at IS NULL RETURNING id`,
    [which.tenant, which.principal, which.id ?? null, new Date(which.atMs)],
  );
  return rows.map(({ id }) => id);
}
