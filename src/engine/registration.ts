import { randomInt, randomUUID } from "node:crypto";
import type { Database, Queryable, Session } from "../store/database.ts";

/**
 * A worker's name in the database, and what shows that it lives: an advisory lock that its connection holds (freed at
 * once when the process or the machine dies) and a heartbeat (which stops when the process is frozen).
 */
export interface Registration {
  readonly id: string;
  /** False when the worker was taken for dead and its jobs were given to others; it must register anew. */
  beat(): Promise<boolean>;
  onLost(handle: () => void): void;
  /** Leaves in good order. */
  end(): Promise<void>;
}

/** A frozen worker's jobs are others' after this; heartbeats come at least twice as often. */
const STALE_SECONDS = 4;

export async function register(database: Database, { host }: { host: string }): Promise<Registration> {
  const session: Session = await database.session();
  const id = randomUUID();
  const lockKey = randomInt(2 ** 47);
  try {
    // First the lock, then the row: a row without its lock is a dead worker's.
    await session.query("SELECT pg_advisory_lock($1)", [lockKey]);
    await session.query("INSERT INTO workers (id, host, pid, lock_key) VALUES ($1, $2, $3, $4)", [
      ...[id, host, process.pid, lockKey],
    ]);
  } catch (error) {
    await session.close();
    throw error;
  }
  return {
    id,
    beat: async () => {
      const { rowCount } = await session.query("UPDATE workers SET heartbeat_at = now() WHERE id = $1", [id]);
      return rowCount === 1;
    },
    onLost: (handle) => session.onLost(handle),
    end: async () => {
      await session.query("DELETE FROM workers WHERE id = $1", [id]).catch(() => undefined);
      await session.close();
    },
  };
}

const DEAD = `heartbeat_at < now() - $1 * interval '1 second' OR NOT EXISTS (
  SELECT 1 FROM pg_locks
  WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32) | objid::bigint = lock_key)`;

/**
 * Whether another worker than this one holds jobs, and whether there is anything to free: a worker that is gone, or a
 * job in the name of one that is not there.
 */
export async function lookForDeath(db: Queryable, self: string | undefined): Promise<{ busy: boolean; dead: boolean }> {
  const { rows } = await db.query<{ busy: boolean; dead: boolean }>(
    `SELECT EXISTS (SELECT FROM jobs WHERE worker IS NOT NULL AND worker IS DISTINCT FROM $2::uuid) AS busy,
       EXISTS (SELECT FROM workers WHERE ${DEAD}) OR EXISTS (
         SELECT FROM jobs WHERE worker IS NOT NULL AND NOT EXISTS (SELECT FROM workers WHERE workers.id = jobs.worker)
       ) AS dead`,
    [STALE_SECONDS, self ?? null],
  );
  return rows[0] ?? { busy: false, dead: false };
}

/**
 * Frees the jobs of workers that are gone: the lock is free, or the heartbeat is old. Every worker does this, so that
 * one is enough. Answers what was found.
 */
export async function reapDeadWorkers(db: Queryable): Promise<{ workers: string[]; jobs: number }> {
  const { rows } = await db.query<{ id: string }>(
    `DELETE FROM workers WHERE ${DEAD}
     RETURNING id`,
    [STALE_SECONDS],
  );
  const { rowCount } = await db.query(
    `UPDATE jobs SET worker = NULL, claimed_at = NULL, run_at = now()
     WHERE id IN (
       SELECT id FROM jobs WHERE worker IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM workers WHERE workers.id = jobs.worker)
       FOR UPDATE SKIP LOCKED)`,
  );
  if (rowCount > 0) await db.query("SELECT pg_notify('jobs', '')");
  return { workers: rows.map((row) => row.id), jobs: rowCount };
}
