import type { Queryable, Transaction } from "../database.ts";
import type { EndpointKey } from "./admission.ts";

/** What a monitor has read of the captures of its host, and what it made of that. */

/** An endpoint with the versions that it may show: what serves, and what is being rolled out. */
export interface WatchedRow extends EndpointKey {
  liveRollout: string | null;
  livePlanDigest: string | null;
  activeRollout: string | null;
  activePlanDigest: string | null;
  /** When the older of the two was proposed: nothing before that is about either. */
  sinceMs: number;
}

/** Endpoints of this host that a version serves at or is on its way to, of all tenants. */
export async function listServing(db: Queryable, host: string): Promise<WatchedRow[]> {
  const { rows } = await db.query<Omit<WatchedRow, "sinceMs"> & { since: Date | null }>(
    `SELECT e.tenant, e.environment, e.target, e.name, e.live_rollout AS "liveRollout",
       e.live_plan_digest AS "livePlanDigest", r.id AS "activeRollout", r.plan_digest AS "activePlanDigest",
       least(r.created_at, l.created_at) AS since
     FROM endpoints e
       LEFT JOIN rollouts r ON r.active
         AND (r.tenant, r.environment, r.target, r.name) = (e.tenant, e.environment, e.target, e.name)
       LEFT JOIN rollouts l ON l.tenant = e.tenant AND l.id = e.live_rollout
     WHERE e.target = 'local' AND e.host = $1 AND (e.live_rollout IS NOT NULL OR r.id IS NOT NULL)
     ORDER BY e.tenant, e.environment, e.name`,
    [host],
  );
  return rows.map(({ since, ...row }) => ({ ...row, sinceMs: since?.getTime() ?? 0 }));
}

export interface OffsetRow {
  /** Rises with everything that is stored of this endpoint and host. */
  revision: number;
  files: Record<string, { offset: number; size: number }>;
  counts: Record<string, number>;
  /** Of the youngest request that was read; null before the first. */
  newestMs: number | null;
}

export async function readOffsets(db: Queryable, at: EndpointKey, host: string): Promise<OffsetRow | undefined> {
  const { rows } = await db.query<Omit<OffsetRow, "newestMs"> & { newest: Date | null }>(
    `SELECT revision, files, counts, newest_at AS newest FROM monitor_offsets
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND host = $5`,
    [...keyOf(at), host],
  );
  return rows.map(({ newest, ...row }) => ({ ...row, newestMs: newest?.getTime() ?? null }))[0];
}

/**
 * Stores how far was read when nobody else did since `revision` was read (0: there was none), and answers whether.
 * What is stored beside it in the same transaction counts exactly once.
 */
export async function advanceOffsets(
  tx: Transaction,
  { at, host }: { at: EndpointKey; host: string },
  row: OffsetRow & { atMs: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO monitor_offsets AS o
       (tenant, environment, target, name, host, revision, files, counts, newest_at, updated_at)
     SELECT $1, $2, $3, $4, $5, $6::bigint + 1, $7, $8, $9, $10
     WHERE $6 = 0 OR EXISTS (SELECT FROM monitor_offsets
       WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND host = $5)
     ON CONFLICT (tenant, environment, target, name, host) DO UPDATE SET revision = excluded.revision,
       files = excluded.files, counts = excluded.counts, newest_at = excluded.newest_at, updated_at = excluded.updated_at
     WHERE o.revision = $6`,
    [
      ...[...keyOf(at), host, row.revision, JSON.stringify(row.files), JSON.stringify(row.counts)],
      ...[timeOf(row.newestMs), new Date(row.atMs)],
    ],
  );
  return rowCount === 1;
}

/** Of all hosts together, for whoever asks what was read of an endpoint. */
export async function listOffsets(
  db: Queryable,
  at: EndpointKey,
): Promise<{ host: string; counts: Record<string, number>; newestMs: number | null; updatedMs: number }[]> {
  const { rows } = await db.query<{ host: string; counts: Record<string, number>; newest: Date | null; at: Date }>(
    `SELECT host, counts, newest_at AS newest, updated_at AS at FROM monitor_offsets
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 ORDER BY host`,
    keyOf(at),
  );
  return rows.map(({ host, counts, newest, at: updated }) => ({
    ...{ host, counts, newestMs: newest?.getTime() ?? null, updatedMs: updated.getTime() },
  }));
}

/** One version's sketch of a short while on one host. */
export interface NewCell {
  variant: string;
  firstMs: number;
  lastMs: number;
  rows: number;
  sketch: Uint8Array;
}

export interface CellRow extends NewCell {
  id: number;
}

/** Answers their ids. */
export async function insertCells(
  tx: Transaction,
  { at, host }: { at: EndpointKey; host: string },
  cells: readonly NewCell[],
): Promise<number[]> {
  const ids: number[] = [];
  for (const { variant, firstMs, lastMs, rows, sketch } of cells) {
    const stored = await tx.query<{ id: number }>(
      `INSERT INTO monitor_cells (tenant, environment, target, name, variant, host, first_at, last_at, rows, sketch)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
      [...keyOf(at), variant, host, new Date(firstMs), new Date(lastMs), rows, Buffer.from(sketch)],
    );
    ids.push(...stored.rows.map(({ id }) => id));
  }
  return ids;
}

/** The cells that are in no window yet, of all hosts, in the order of what they are about. */
export async function listCellIds(db: Queryable, at: EndpointKey, variant: string): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(
    `SELECT id FROM monitor_cells WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND variant = $5
     ORDER BY first_at, id`,
    [...keyOf(at), variant],
  );
  return rows.map(({ id }) => id);
}

export async function readCells(
  db: Queryable,
  at: EndpointKey,
  of: { variant: string; ids: readonly number[] },
): Promise<CellRow[]> {
  const { rows } = await db.query<Omit<CellRow, "firstMs" | "lastMs"> & { first: Date; last: Date }>(
    `SELECT id, variant, first_at AS first, last_at AS last, rows, sketch FROM monitor_cells
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND variant = $5 AND id = ANY ($6)
     ORDER BY first_at, id`,
    [...keyOf(at), of.variant, of.ids],
  );
  return rows.map(({ first, last, ...row }) => ({ ...row, firstMs: first.getTime(), lastMs: last.getTime() }));
}

export async function deleteCells(
  tx: Transaction,
  at: EndpointKey,
  of: { variant: string; ids: readonly number[] },
): Promise<number> {
  const { rowCount } = await tx.query(
    `DELETE FROM monitor_cells
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND variant = $5 AND id = ANY ($6)`,
    [...keyOf(at), of.variant, of.ids],
  );
  return rowCount;
}

/** The states of a version's tests, by host. */
export async function listTests(
  db: Queryable,
  at: EndpointKey,
  variant: string,
): Promise<{ host: string; state: Buffer }[]> {
  const { rows } = await db.query<{ host: string; state: Buffer }>(
    `SELECT host, state FROM monitor_tests
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND variant = $5 ORDER BY host`,
    [...keyOf(at), variant],
  );
  return rows;
}

export async function writeTest(
  tx: Transaction,
  at: EndpointKey,
  test: { variant: string; host: string; state: Uint8Array; atMs: number },
): Promise<void> {
  await tx.query(
    `INSERT INTO monitor_tests (tenant, environment, target, name, variant, host, state, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant, environment, target, name, variant, host)
       DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at`,
    [...keyOf(at), test.variant, test.host, Buffer.from(test.state), new Date(test.atMs)],
  );
}

/** A baseline's columns as they were made once; undefined before. */
export async function readBaseline(
  db: Queryable,
  of: { tenant: string; digest: string; options: string },
): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ profiles: Buffer }>(
    "SELECT profiles FROM monitor_baselines WHERE tenant = $1 AND digest = $2 AND options = $3",
    [of.tenant, of.digest, of.options],
  );
  return rows[0]?.profiles;
}

export async function writeBaseline(
  db: Queryable,
  made: { tenant: string; digest: string; options: string; profiles: Uint8Array; atMs: number },
): Promise<void> {
  await db.query(
    `INSERT INTO monitor_baselines (tenant, digest, options, profiles, made_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING`,
    [made.tenant, made.digest, made.options, Buffer.from(made.profiles), new Date(made.atMs)],
  );
}

export function keyOf({ tenant, environment, target, name }: EndpointKey): string[] {
  return [tenant, environment, target, name];
}

function timeOf(atMs: number | null): Date | null {
  return atMs === null ? null : new Date(atMs);
}
