import type { Queryable, Transaction } from "../database.ts";
import type { EndpointKey } from "./admission.ts";
import { keyOf } from "./monitor.ts";
import type { Removed } from "./retention.ts";

/** Windows, and what the newest look at a version said. */

export interface WindowRow {
  number: number;
  firstMs: number;
  lastMs: number;
  rows: number;
  /** Of this window and all before it. */
  totalRows: number;
  /** null once only its figures are kept. */
  sketch: Buffer | null;
}

/** The newest, oldest first. */
export async function listWindows(
  db: Queryable,
  at: EndpointKey,
  of: { variant: string; limit: number; withSketch: boolean },
): Promise<WindowRow[]> {
  const { rows } = await db.query<Omit<WindowRow, "firstMs" | "lastMs"> & { first: Date; last: Date }>(
    `SELECT number, first_at AS first, last_at AS last, rows, total_rows AS "totalRows", CASE WHEN $7 THEN sketch END AS sketch
     FROM monitor_windows
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND variant = $5
     ORDER BY number DESC LIMIT $6`,
    [...keyOf(at), of.variant, of.limit, of.withSketch],
  );
  return rows
    .map(({ first, last, ...row }) => ({ ...row, firstMs: first.getTime(), lastMs: last.getTime() }))
    .reverse();
}

/** Stores a window under the next number, which it answers; the sketch of those before `keepSketches` of them goes. */
export async function insertWindow(
  tx: Transaction,
  at: EndpointKey,
  window: {
    variant: string;
    firstMs: number;
    lastMs: number;
    rows: number;
    sketch: Uint8Array;
    atMs: number;
    keepSketches: number;
  },
): Promise<{ number: number; totalRows: number }> {
  const { rows } = await tx.query<{ number: number; totalRows: number }>(
    `INSERT INTO monitor_windows
       (tenant, environment, target, name, variant, number, first_at, last_at, closed_at, rows, total_rows, sketch)
     SELECT $1, $2, $3, $4, $5, coalesce(newest.number, 0) + 1, $6, $7, $8, $9, coalesce(newest.total_rows, 0) + $9, $10
     FROM (SELECT) AS once LEFT JOIN (SELECT number, total_rows FROM monitor_windows
       WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND variant = $5
       ORDER BY number DESC LIMIT 1) AS newest ON true
     RETURNING number, total_rows AS "totalRows"`,
    [
      ...[...keyOf(at), window.variant, new Date(window.firstMs), new Date(window.lastMs), new Date(window.atMs)],
      ...[window.rows, Buffer.from(window.sketch)],
    ],
  );
  const [stored] = rows;
  if (stored === undefined) throw new Error("broken invariant: a window that was inserted has a number");
  const { number } = stored;
  await tx.query(
    `UPDATE monitor_windows SET sketch = NULL
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND variant = $5
       AND number <= $6 AND number > $6 - 8 AND sketch IS NOT NULL`,
    [...keyOf(at), window.variant, number - window.keepSketches],
  );
  return stored;
}

export async function readState(
  db: Queryable,
  at: EndpointKey,
  variant: string,
): Promise<{ evaluatedMs: number; state: Record<string, unknown> } | undefined> {
  const { rows } = await db.query<{ at: Date; state: Record<string, unknown> }>(
    `SELECT evaluated_at AS at, state FROM monitor_states
     WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4 AND variant = $5`,
    [...keyOf(at), variant],
  );
  return rows.map(({ at: evaluated, state }) => ({ evaluatedMs: evaluated.getTime(), state }))[0];
}

export async function writeState(
  tx: Transaction,
  at: EndpointKey,
  of: { variant: string; atMs: number; state: object },
): Promise<void> {
  await tx.query(
    `INSERT INTO monitor_states (tenant, environment, target, name, variant, evaluated_at, state)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (tenant, environment, target, name, variant)
       DO UPDATE SET evaluated_at = excluded.evaluated_at, state = excluded.state`,
    [...keyOf(at), of.variant, new Date(of.atMs), JSON.stringify(of.state)],
  );
}

/** Of several monitors one evaluates an endpoint; held until the transaction ends. */
export async function lockEvaluation(tx: Transaction, at: EndpointKey): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_xact_lock(hashtextextended('monitor/' || $1, 0)) AS locked",
    [JSON.stringify(keyOf(at))],
  );
  return rows[0]?.locked === true;
}

const ROWS_AT_ONCE = 2000;

/**
 * What is past its time: windows, states and tests of versions that were not looked at since, what was left of their
 * cells, and baselines that no plan of a watched version names any more (they are made again when one does).
 */
export async function removeMonitoring(tx: Transaction, beforeMs: number): Promise<Removed[]> {
  const before = new Date(beforeMs);
  const parts = [
    `DELETE FROM monitor_windows WHERE (tenant, environment, target, name, variant, number) IN (
       SELECT tenant, environment, target, name, variant, number FROM monitor_windows WHERE closed_at < $1
       LIMIT ${ROWS_AT_ONCE})`,
    `DELETE FROM monitor_cells WHERE (tenant, environment, target, name, variant, id) IN (
       SELECT tenant, environment, target, name, variant, id FROM monitor_cells WHERE last_at < $1 LIMIT ${ROWS_AT_ONCE})`,
    `DELETE FROM monitor_tests WHERE (tenant, environment, target, name, variant, host) IN (
       SELECT tenant, environment, target, name, variant, host FROM monitor_tests WHERE updated_at < $1
       LIMIT ${ROWS_AT_ONCE})`,
    `DELETE FROM monitor_states WHERE (tenant, environment, target, name, variant) IN (
       SELECT tenant, environment, target, name, variant FROM monitor_states WHERE evaluated_at < $1
       LIMIT ${ROWS_AT_ONCE})`,
    `DELETE FROM monitor_baselines WHERE (tenant, digest, options) IN (
       SELECT tenant, digest, options FROM monitor_baselines WHERE made_at < $1 LIMIT ${ROWS_AT_ONCE})`,
  ];
  const counts = new Map<string, number>();
  for (const deletion of parts) {
    const { rows } = await tx.query<Removed>(
      `WITH gone AS (${deletion} RETURNING tenant) SELECT tenant, count(*) AS count FROM gone GROUP BY tenant`,
      [before],
    );
    for (const { tenant, count } of rows) counts.set(tenant, (counts.get(tenant) ?? 0) + count);
  }
  return [...counts].map(([tenant, count]) => ({ tenant, count }));
}
