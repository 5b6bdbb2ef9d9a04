import type { Queryable, Transaction } from "../database.ts";

/** The rows of the audit log. Entries are only ever inserted, and get their position once. */

export interface AuditRow {
  id: number;
  position: number;
  subject: string;
  entry: Buffer;
  leafHash: Buffer;
}

export interface AuditTreeRow {
  size: number;
  frontier: Buffer[];
  root: Buffer;
}

/** An entry that has no place in the tree yet. */
export interface NewAuditRow {
  tenant: string;
  subject: string;
  entry: Uint8Array;
  leafHash: Uint8Array;
}

export async function insertAuditEntry(tx: Transaction, row: NewAuditRow): Promise<void> {
  await tx.query("INSERT INTO audit_entries (tenant, subject, entry, leaf_hash) VALUES ($1, $2, $3, $4)", [
    row.tenant,
    row.subject,
    row.entry,
    row.leafHash,
  ]);
}

/** Whether the log tells of such an action on the subject, in its place or still waiting for one. */
export async function isTold(
  db: Queryable,
  fact: { tenant: string; subject: string; action: string },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT FROM audit_entries
     WHERE tenant = $1 AND subject = $2 AND convert_from(entry, 'UTF8')::jsonb ->> 'action' = $3 LIMIT 1`,
    [fact.tenant, fact.subject, fact.action],
  );
  return rowCount > 0;
}

/** One sequencer per tenant at a time; the lock ends with the transaction. */
export async function lockAuditTree(tx: Transaction, tenant: string): Promise<void> {
  await tx.query("SELECT pg_advisory_xact_lock(hashtextextended('audit/' || $1, 0))", [tenant]);
}

export async function tenantsWithWaitingEntries(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ tenant: string }>(
    "SELECT DISTINCT tenant FROM audit_entries WHERE position IS NULL",
  );
  return rows.map((row) => row.tenant);
}

export async function hasWaitingEntries(db: Queryable, tenant: string): Promise<boolean> {
  const { rowCount } = await db.query("SELECT FROM audit_entries WHERE tenant = $1 AND position IS NULL LIMIT 1", [
    tenant,
  ]);
  return rowCount > 0;
}

export async function waitingEntries(
  tx: Transaction,
  tenant: string,
  limit: number,
): Promise<{ id: number; leafHash: Buffer }[]> {
  const { rows } = await tx.query<{ id: number; leafHash: Buffer }>(
    `SELECT id, leaf_hash AS "leafHash" FROM audit_entries
     WHERE tenant = $1 AND position IS NULL ORDER BY id LIMIT $2`,
    [tenant, limit],
  );
  return rows;
}

export async function setPositions(
  tx: Transaction,
  tenant: string,
  ids: number[],
  firstPosition: number,
): Promise<void> {
  await tx.query(
    `UPDATE audit_entries AS entry SET position = $3::bigint + given.ordinal - 1
     FROM unnest($2::bigint[]) WITH ORDINALITY AS given (id, ordinal)
     WHERE entry.tenant = $1 AND entry.id = given.id`,
    [tenant, ids, firstPosition],
  );
}

export async function readAuditTree(db: Queryable, tenant: string): Promise<AuditTreeRow | undefined> {
  const { rows } = await db.query<AuditTreeRow>("SELECT size, frontier, root FROM audit_trees WHERE tenant = $1", [
    tenant,
  ]);
  return rows[0];
}

export async function writeAuditTree(
  tx: Transaction,
  tree: { tenant: string; size: number; frontier: readonly Uint8Array[]; root: Uint8Array },
): Promise<void> {
  await tx.query(
    `INSERT INTO audit_trees (tenant, size, frontier, root) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant) DO UPDATE SET size = $2, frontier = $3, root = $4`,
    [tree.tenant, tree.size, tree.frontier.map((hash) => Buffer.from(hash)), tree.root],
  );
}

/** Which entries, in the tree's order: those from a position on, at most `limit`, of one subject or of all. */
export interface PositionRange {
  tenant: string;
  fromPosition: number;
  limit: number;
  subject?: string;
}

const ENTRY = `SELECT id, position, subject, entry, leaf_hash AS "leafHash" FROM audit_entries
  WHERE tenant = $1 AND position >= $2`;

/** Entries that stand in the tree, in its order, from a position on. */
export async function positionedEntries(db: Queryable, range: PositionRange): Promise<AuditRow[]> {
  const { tenant, fromPosition, limit, subject } = range;
  if (subject !== undefined) {
    const ofSubject = `${ENTRY} AND subject = $4 ORDER BY position LIMIT $3`;
    return (await db.query<AuditRow>(ofSubject, [tenant, fromPosition, limit, subject])).rows;
  }
  // A log that grew quickly has old statistics, by which the server would read and sort all that follows for each batch.
  // Positions have no gaps: as many of them as rows are wanted hold those rows, and it cannot read more.
  const window = `${ENTRY} AND position < $3 ORDER BY position`;
  const { rows } = await db.query<AuditRow>(window, [tenant, fromPosition, fromPosition + limit]);
  if (rows.length === limit) return rows;
  // The end of the log; or one from which somebody took rows, and whoever reads on must see what follows them.
  return (await db.query<AuditRow>(`${ENTRY} ORDER BY position LIMIT $3`, [tenant, fromPosition, limit])).rows;
}
