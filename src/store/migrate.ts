import { createHash } from "node:crypto";
import type { Database, Transaction } from "./database.ts";
import { migrations } from "./migrations/index.ts";
import { StoreError } from "./store-error.ts";

export interface Migration {
  name: string;
  sql: string;
}

/** Any number that nobody else takes: programs that start together migrate one after the other. */
const LOCK_KEY = 7_266_816_001;

/** Changes whenever a migration does. */
export function schemaChecksum(list: readonly Migration[] = migrations): string {
  return createHash("sha256").update(list.map(checksumOf).join()).digest("hex");
}

/**
 * Brings the database to this program's schema, all in one transaction. Doing it again changes nothing. Answers the
 * version before and after. Errors: `database-newer`, `migration-changed`, `migration-failed`, `database-unavailable`.
 */
export function migrate(
  database: Database,
  list: readonly Migration[] = migrations,
): Promise<{ from: number; to: number }> {
  return database.transaction(async (tx) => {
    await tx.query("SELECT pg_advisory_xact_lock($1)", [LOCK_KEY]);
    await tx.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations (
         version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const from = await checkApplied(tx, list);
    for (const [index, migration] of list.entries()) {
      if (index >= from) await apply(tx, migration, index + 1);
    }
    return { from, to: list.length };
  });
}

/** How many were applied, once each of them was found to be the one this program carries. */
async function checkApplied(tx: Transaction, list: readonly Migration[]): Promise<number> {
  const { rows } = await tx.query<{ version: number; name: string; checksum: string }>(
    "SELECT version, name, checksum FROM schema_migrations ORDER BY version",
  );
  if (rows.length > list.length) {
    throw new StoreError(
      "database-newer",
      `The database is at schema version ${rows.length} and this program knows ${list.length}: start a newer version of the program, or restore a backup from before the upgrade.`,
      { details: { database: rows.length, program: list.length } },
    );
  }
  for (const [index, row] of rows.entries()) {
    const own = list[index];
    if (own === undefined || row.version !== index + 1 || checksumOf(own) !== row.checksum) {
      throw new StoreError(
        "migration-changed",
        `Migration ${row.version} (${row.name}) of the database is not the one this program carries: the database was made by a different build.`,
        { details: { version: row.version } },
      );
    }
  }
  return rows.length;
}

async function apply(tx: Transaction, migration: Migration, version: number): Promise<void> {
  try {
    await tx.query(migration.sql);
  } catch (error) {
    throw new StoreError("migration-failed", `Migration ${migration.name} failed: ${String(error)}`, { cause: error });
  }
  await tx.query("INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)", [
    version,
    migration.name,
    checksumOf(migration),
  ]);
}

function checksumOf(migration: Migration): string {
  return createHash("sha256").update(migration.sql).digest("hex");
}
