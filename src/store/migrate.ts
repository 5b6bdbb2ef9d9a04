import { createHash } from "node:crypto";
import type { Database, Queryable, Transaction } from "./database.ts";
import { migrations } from "./migrations/index.ts";
import type { DatabaseRoles } from "./roles.ts";
import { secureTenantTables } from "./row-security.ts";
import { StoreError } from "./store-error.ts";

export interface Migration {
  name: string;
  sql: string;
}

/** Any number that nobody else takes: programs that start together migrate one after the other. */
const LOCK_KEY = 7_266_816_001;

/** Changes whenever a migration does. */
export function schemaChecksum(list: readonly Migration[] = migrations): string {
  return createHash("sha256").update(list.map(migrationChecksum).join()).digest("hex");
}

/**
 * Brings the database to this program's schema and its tables under row-level security, all in one transaction. Doing it
 * again changes nothing. Answers the version before and after. Errors: `database-newer`, `migration-changed`,
 * `migration-failed`, `roles-missing`, `database-unavailable`.
 */
export function migrate(
  database: Database,
  list: readonly Migration[] = migrations,
  roles?: DatabaseRoles,
): Promise<{ from: number; to: number }> {
  return database.transaction(async (tx) => {
    const versions = await migrateWithin(tx, list);
    await secureTenantTables(tx, roles);
    return versions;
  });
}

/** The tables alone, in the caller's transaction: rows cannot be copied into what is under row-level security. */
export async function migrateWithin(
  tx: Transaction,
  list: readonly Migration[] = migrations,
): Promise<{ from: number; to: number }> {
  await tx.query("SELECT pg_advisory_xact_lock($1)", [LOCK_KEY]);
  await tx.query(
    `CREATE TABLE IF NOT EXISTS schema_migrations (
       version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
  );
  const from = checkApplied(await appliedMigrations(tx), list);
  for (const [index, migration] of list.entries()) {
    if (index >= from) await apply(tx, migration, index + 1);
  }
  return { from, to: list.length };
}

/**
 * Where the database stands, changing nothing: `from` is its schema version (0 when it has no tables of ours) and `to`
 * what this program knows. Errors: `database-newer`, `migration-changed`, `database-unavailable`.
 */
export async function schemaState(
  database: Queryable,
  list: readonly Migration[] = migrations,
): Promise<{ from: number; to: number }> {
  return { from: checkApplied(await appliedMigrations(database), list), to: list.length };
}

/** A process that runs on a schema that is not migrated yet would fail at whatever it misses. Errors: `database-older`. */
export async function requireSchema(database: Queryable): Promise<void> {
  const { from, to } = await schemaState(database);
  if (from === to) return;
  const where = from === 0 ? "has no tables of Continuum yet" : `is at schema version ${from}`;
  throw new StoreError(
    "database-older",
    `The database ${where} and this program needs ${to}: make a backup and run \`continuum migrate\` first.`,
    { details: { database: from, program: to } },
  );
}

/** What the database says was applied, in order; empty when there is no such table. */
export async function appliedMigrations(database: Queryable): Promise<{ name: string; checksum: string }[]> {
  const found = await database.query("SELECT to_regclass('schema_migrations') IS NOT NULL AS found");
  if (found.rows[0]?.["found"] !== true) return [];
  const { rows } = await database.query<{ version: number; name: string; checksum: string }>(
    "SELECT version, name, checksum FROM schema_migrations ORDER BY version",
  );
  for (const [index, { version, name }] of rows.entries()) {
    if (version !== index + 1) throw migrationChanged(version, name);
  }
  return rows.map(({ name, checksum }) => ({ name, checksum }));
}

/** How many were applied, once each of them was found to be the one this program carries. */
function checkApplied(rows: readonly { name: string; checksum: string }[], list: readonly Migration[]): number {
  if (rows.length > list.length) {
    throw new StoreError(
      "database-newer",
      `The database is at schema version ${rows.length} and this program knows ${list.length}: start a newer version of the program, or restore a backup from before the upgrade.`,
      { details: { database: rows.length, program: list.length } },
    );
  }
  for (const [index, row] of rows.entries()) {
    const own = list[index];
    if (own === undefined || migrationChecksum(own) !== row.checksum) throw migrationChanged(index + 1, row.name);
  }
  return rows.length;
}

function migrationChanged(version: number, name: string): StoreError {
  return new StoreError(
    "migration-changed",
    `Migration ${version} (${name}) of the database is not the one this program carries: the database was made by a different build.`,
    { details: { version } },
  );
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
    migrationChecksum(migration),
  ]);
}

export function migrationChecksum(migration: Migration): string {
  return createHash("sha256").update(migration.sql).digest("hex");
}
