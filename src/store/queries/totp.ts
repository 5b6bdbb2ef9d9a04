import type { Queryable, Transaction } from "../database.ts";

export interface TotpRow {
  /** Sealed; null before the first was confirmed. */
  secret: Buffer | null;
  pending: Buffer | null;
  pendingNonce: string | null;
  pendingUntil: Date | null;
  lastStep: number;
  failures: number;
  lockedUntil: Date | null;
}

export interface Person {
  tenant: string;
  principal: string;
}

const TOTP = `secret, pending, pending_nonce AS "pendingNonce", pending_until AS "pendingUntil", last_step AS "lastStep",
  failures, locked_until AS "lockedUntil"`;

export async function readTotp(db: Queryable, { tenant, principal }: Person): Promise<TotpRow | undefined> {
  const { rows } = await db.query<TotpRow>(`SELECT ${TOTP} FROM totp_secrets WHERE tenant = $1 AND principal = $2`, [
    tenant,
    principal,
  ]);
  return rows[0];
}

/** Two codes of one person are looked at one after the other: the same code twice is a replay whoever is first. */
export async function lockTotp(tx: Transaction, { tenant, principal }: Person): Promise<TotpRow | undefined> {
  const { rows } = await tx.query<TotpRow>(
    `SELECT ${TOTP} FROM totp_secrets WHERE tenant = $1 AND principal = $2 FOR UPDATE`,
    [tenant, principal],
  );
  return rows[0];
}

export async function storePendingTotp(
  tx: Transaction,
  { tenant, principal, sealed, nonce, untilMs }: Person & { sealed: Uint8Array; nonce: string; untilMs: number },
): Promise<void> {
  await tx.query(
    `INSERT INTO totp_secrets (tenant, principal, pending, pending_nonce, pending_until) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant, principal) DO UPDATE SET pending = $3, pending_nonce = $4, pending_until = $5`,
    [tenant, principal, sealed, nonce, new Date(untilMs)],
  );
}

/** The pending secret becomes the one that counts; its first code is used up. */
export async function confirmTotp(
  tx: Transaction,
  { tenant, principal, step, atMs }: Person & { step: number; atMs: number },
): Promise<void> {
  await tx.query(
    `UPDATE totp_secrets SET secret = pending, confirmed_at = $3, pending = NULL, pending_nonce = NULL,
       pending_until = NULL, last_step = $4, failures = 0, locked_until = NULL
     WHERE tenant = $1 AND principal = $2`,
    [tenant, principal, new Date(atMs), step],
  );
}

export async function recordTotpStep(tx: Transaction, { tenant, principal, step }: Person & { step: number }) {
  await tx.query(
    `UPDATE totp_secrets SET last_step = $3, failures = 0, locked_until = NULL WHERE tenant = $1 AND principal = $2`,
    [tenant, principal, step],
  );
}

export async function recordTotpFailure(
  tx: Transaction,
  { tenant, principal, failures, lockedUntilMs }: Person & { failures: number; lockedUntilMs: number | null },
): Promise<void> {
  await tx.query("UPDATE totp_secrets SET failures = $3, locked_until = $4 WHERE tenant = $1 AND principal = $2", [
    ...[tenant, principal, failures],
    lockedUntilMs === null ? null : new Date(lockedUntilMs),
  ]);
}

/** Whether there was one that counted. */
export async function removeTotp(tx: Transaction, { tenant, principal }: Person): Promise<boolean> {
  const { rows } = await tx.query<{ counted: boolean }>(
    `DELETE FROM totp_secrets WHERE tenant = $1 AND principal = $2 RETURNING secret IS NOT NULL AS counted`,
    [tenant, principal],
  );
  return rows[0]?.counted === true;
}
