import type { Queryable, Transaction } from "../database.ts";

/** Programs elsewhere that an issuer vouches for. */
export interface WorkloadRow {
  id: string;
  issuer: string;
  claims: Record<string, string>;
  principal: string;
  roles: string[];
  tokenSeconds: number;
  createdBy: string;
  createdAt: Date;
}

const WORKLOAD = `id, issuer, claims, principal, roles, token_seconds AS "tokenSeconds", created_by AS "createdBy",
  created_at AS "createdAt"`;

export async function insertWorkload(tx: Transaction, row: WorkloadRow & { tenant: string }): Promise<void> {
  await tx.query(
    `INSERT INTO workloads (tenant, id, issuer, claims, principal, roles, token_seconds, created_by, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      ...[row.tenant, row.id, row.issuer, JSON.stringify(row.claims), row.principal, row.roles],
      ...[row.tokenSeconds, row.createdBy, row.createdAt],
    ],
  );
}

export async function listWorkloads(
  db: Queryable,
  page: { tenant: string; after?: string; limit: number },
): Promise<WorkloadRow[]> {
  const { rows } = await db.query<WorkloadRow>(
    `SELECT ${WORKLOAD} FROM workloads WHERE tenant = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3`,
    [page.tenant, page.after ?? null, page.limit],
  );
  return rows;
}

/** Those whose every claim is in `claims`, the same in each character; newest first. */
export async function workloadsWithin(
  db: Queryable,
  asked: { tenant: string; issuer: string; claims: Readonly<Record<string, string>> },
): Promise<WorkloadRow[]> {
  const { rows } = await db.query<WorkloadRow>(
    `SELECT ${WORKLOAD} FROM workloads WHERE tenant = $1 AND issuer = $2 AND claims <@ $3::jsonb
     ORDER BY created_at DESC, id LIMIT 2`,
    [asked.tenant, asked.issuer, JSON.stringify(asked.claims)],
  );
  return rows;
}

/** Removes the workload and ends the tokens that were given for it; undefined when there is none. */
export async function removeWorkload(
  tx: Transaction,
  which: { tenant: string; id: string; atMs: number },
): Promise<WorkloadRow | undefined> {
  const { rows } = await tx.query<WorkloadRow>(
    `DELETE FROM workloads WHERE tenant = $1 AND id = $2 RETURNING ${WORKLOAD}`,
    [which.tenant, which.id],
  );
  const row = rows[0];
  if (row !== undefined) {
    await tx.query(
      "UPDATE tokens SET revoked_at = $3 WHERE tenant = $1 AND principal = $2 AND revoked_at IS NULL AND expires_at > $3",
      [which.tenant, row.principal, new Date(which.atMs)],
    );
  }
  return row;
}
