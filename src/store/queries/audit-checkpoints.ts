import type { Queryable, Transaction } from "../database.ts";

/** Signed checkpoints, which are only ever inserted, and how far each archive has them. */

export interface CheckpointRow {
  origin: string;
  size: number;
  note: Buffer;
  createdAt: Date;
}

/** The random name of this installation; made by whoever asks first. */
export async function installationId(db: Queryable, made: () => string): Promise<string> {
  const read = () => db.query<{ id: string }>("SELECT id FROM installations");
  const [found] = (await read()).rows;
  if (found !== undefined) return found.id;
  await db.query("INSERT INTO installations (id) VALUES ($1) ON CONFLICT DO NOTHING", [made()]);
  const [row] = (await read()).rows;
  if (row === undefined) throw new Error("broken invariant: an installation has a name once one was given");
  return row.id;
}

/** When this database was last filled from a backup. */
export async function restoredAt(db: Queryable): Promise<Date | null> {
  const { rows } = await db.query<{ at: Date | null }>("SELECT max(restored_at) AS at FROM restores");
  return rows[0]?.at ?? null;
}

/** One at a time signs for a tenant; whoever comes second leaves it to the first. */
export async function tryLockCheckpoint(tx: Transaction, tenant: string): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_xact_lock(hashtextextended('checkpoint/' || $1, 0)) AS locked",
    [tenant],
  );
  return rows[0]?.locked === true;
}

/** Tenants whose log is not as long as its newest checkpoint says; `prefix` and `suffix` make the log's name of the tenant's. */
export async function tenantsWithoutCheckpoint(
  db: Queryable,
  { prefix, suffix }: { prefix: string; suffix: string },
): Promise<string[]> {
  const { rows } = await db.query<{ tenant: string }>(
    `SELECT tenant FROM audit_trees t WHERE size <> coalesce((SELECT max(c.size) FROM audit_checkpoints c
       WHERE c.tenant = t.tenant AND c.origin = $1 || t.tenant || $2), 0)
     UNION SELECT DISTINCT tenant FROM audit_entries WHERE position IS NULL`,
    [prefix, suffix],
  );
  return rows.map(({ tenant }) => tenant);
}

const CHECKPOINT = `origin, size, note, created_at AS "createdAt"`;

export async function newestCheckpoint(
  db: Queryable,
  at: { tenant: string; origin: string },
): Promise<CheckpointRow | undefined> {
  const { rows } = await db.query<CheckpointRow>(
    `SELECT ${CHECKPOINT} FROM audit_checkpoints WHERE tenant = $1 AND origin = $2 ORDER BY size DESC LIMIT 1`,
    [at.tenant, at.origin],
  );
  return rows[0];
}

/** The smallest one that covers so many entries. */
export async function checkpointCovering(
  db: Queryable,
  at: { tenant: string; origin: string; size: number },
): Promise<CheckpointRow | undefined> {
  const { rows } = await db.query<CheckpointRow>(
    `SELECT ${CHECKPOINT} FROM audit_checkpoints WHERE tenant = $1 AND origin = $2 AND size >= $3 ORDER BY size LIMIT 1`,
    [at.tenant, at.origin, at.size],
  );
  return rows[0];
}

export interface CheckpointListRow extends CheckpointRow {
  publications: {
    archive: string;
    state: "pending" | "published" | "passed-over" | "refused";
    failure: string | null;
    cosignatures: string[];
  }[];
}

/** In the order of their logs and sizes, after the one named. */
export async function listCheckpoints(
  db: Queryable,
  page: { tenant: string; limit: number; after?: { origin: string; size: number } },
): Promise<CheckpointListRow[]> {
  const { tenant, limit, after } = page;
  const { rows } = await db.query<CheckpointListRow>(
    `SELECT ${CHECKPOINT}, coalesce((SELECT json_agg(json_build_object('archive', archive, 'state', state,
         'failure', failure, 'cosignatures', cosignatures) ORDER BY archive)
       FROM audit_publications p WHERE (p.tenant, p.origin, p.size) = (c.tenant, c.origin, c.size)), '[]') AS publications
     FROM audit_checkpoints c WHERE tenant = $1 AND ($2::text IS NULL OR (origin, size) > ($2, $3::bigint))
     ORDER BY origin, size LIMIT $4`,
    [tenant, after?.origin ?? null, after?.size ?? null, limit],
  );
  return rows;
}

/** Signature lines of witnesses on one checkpoint. */
export async function cosignaturesOf(
  db: Queryable,
  at: { tenant: string; origin: string; size: number },
): Promise<string[]> {
  const { rows } = await db.query<{ cosignatures: string[] }>(
    "SELECT cosignatures FROM audit_publications WHERE tenant = $1 AND origin = $2 AND size = $3 ORDER BY archive",
    [at.tenant, at.origin, at.size],
  );
  return rows.flatMap(({ cosignatures }) => cosignatures);
}

/** With one publication to be made for each archive. */
export async function insertCheckpoint(
  tx: Transaction,
  checkpoint: { tenant: string; origin: string; size: number; note: Uint8Array; at: Date; archives: readonly string[] },
): Promise<void> {
  const { tenant, origin, size, note, at, archives } = checkpoint;
  await tx.query(
    `WITH made AS (
       INSERT INTO audit_checkpoints (tenant, origin, size, note, created_at) VALUES ($1, $2, $3, $4, $5)
     )
     INSERT INTO audit_publications (tenant, archive, origin, size, next_attempt_at)
     SELECT $1, unnest($6::text[]), $2, $3, $5`,
    [tenant, origin, size, note, at, archives],
  );
}

export interface PublicationRow {
  tenant: string;
  archive: string;
  origin: string;
  size: number;
  note: Buffer;
  attempts: number;
  /** Of what this archive has of the log; 0 when nothing. */
  lastSize: number;
}

/**
 * Takes publications that are due, each archive's smallest first, so that nobody else makes them before `leaseMs` have
 * passed. Only those of archives that are set up here.
 */
export async function claimPublications(
  db: Queryable,
  how: { now: Date; leaseMs: number; limit: number; archives: readonly string[] },
): Promise<PublicationRow[]> {
  const { rows } = await db.query<PublicationRow>(
    `WITH due AS (
       SELECT tenant, archive, origin, size FROM audit_publications
       WHERE state = 'pending' AND next_attempt_at <= $1 AND archive = ANY ($4)
       ORDER BY tenant, archive, origin, size LIMIT $3 FOR UPDATE SKIP LOCKED
     ), taken AS (
       UPDATE audit_publications p SET attempts = attempts + 1, next_attempt_at = $1::timestamptz + $2 * interval '1 millisecond'
       FROM due WHERE (p.tenant, p.archive, p.origin, p.size) = (due.tenant, due.archive, due.origin, due.size)
       RETURNING p.tenant, p.archive, p.origin, p.size, p.attempts
     )
     SELECT t.tenant, t.archive, t.origin, t.size, t.attempts, c.note,
       coalesce((SELECT max(d.size) FROM audit_publications d WHERE (d.tenant, d.archive, d.origin) = (t.tenant, t.archive, t.origin)
         AND d.state = 'published' AND d.size < t.size), 0) AS "lastSize"
     FROM taken t JOIN audit_checkpoints c ON (c.tenant, c.origin, c.size) = (t.tenant, t.origin, t.size)
     ORDER BY t.tenant, t.archive, t.origin, t.size`,
    [how.now, how.leaseMs, how.limit, how.archives],
  );
  return rows;
}

type PublicationKey = Pick<PublicationRow, "tenant" | "archive" | "origin" | "size">;

export async function endPublication(
  db: Queryable,
  key: PublicationKey,
  end: { at: Date; cosignatures: readonly string[] },
): Promise<void> {
  await db.query(
    `UPDATE audit_publications SET state = 'published', published_at = $5, failure = NULL, cosignatures = $6
     WHERE tenant = $1 AND archive = $2 AND origin = $3 AND size = $4`,
    [key.tenant, key.archive, key.origin, key.size, end.at, end.cosignatures],
  );
}

/** Those of the same log that a newer one makes needless, for an archive that wants the newest alone. */
export async function passOverOlder(db: Queryable, key: PublicationKey): Promise<void> {
  await db.query(
    `UPDATE audit_publications SET state = 'passed-over'
     WHERE tenant = $1 AND archive = $2 AND origin = $3 AND size < $4 AND state = 'pending'`,
    [key.tenant, key.archive, key.origin, key.size],
  );
}

/** `again` is null when it is not tried again. */
export async function failPublication(
  db: Queryable,
  key: PublicationKey,
  how: { failure: string; again: Date | null },
): Promise<void> {
  await db.query(
    `UPDATE audit_publications SET state = CASE WHEN $6::timestamptz IS NULL THEN 'refused' ELSE state END,
       failure = $5, next_attempt_at = coalesce($6, next_attempt_at)
     WHERE tenant = $1 AND archive = $2 AND origin = $3 AND size = $4`,
    [key.tenant, key.archive, key.origin, key.size, how.failure, how.again],
  );
}

export async function nextPublicationAt(db: Queryable, archives: readonly string[]): Promise<Date | null> {
  const { rows } = await db.query<{ at: Date | null }>(
    "SELECT min(next_attempt_at) AS at FROM audit_publications WHERE state = 'pending' AND archive = ANY ($1)",
    [archives],
  );
  return rows[0]?.at ?? null;
}

export interface PublicationGauges {
  /** By archive: checkpoints that wait, and those that it refused as another story. */
  archive: string;
  pending: number;
  failing: number;
  refused: number;
}

export async function publicationGauges(db: Queryable): Promise<PublicationGauges[]> {
  const { rows } = await db.query<PublicationGauges>(
    `SELECT archive, count(*) FILTER (WHERE state = 'pending') AS pending,
       count(*) FILTER (WHERE state = 'pending' AND failure IS NOT NULL) AS failing,
       count(*) FILTER (WHERE state = 'refused') AS refused
     FROM audit_publications WHERE state IN ('pending', 'refused') GROUP BY archive ORDER BY archive`,
  );
  return rows;
}
