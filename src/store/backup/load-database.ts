import type pg from "pg";
import type { BackupManifest } from "../../core/backup/manifest.ts";
import type { Database, Transaction } from "../database.ts";
import { type Migration, migrateWithin, migrationChecksum } from "../migrate.ts";
import { migrations } from "../migrations/index.ts";
import type { DatabaseRoles } from "../roles.ts";
import { secureTenantTables } from "../row-security.ts";
import { BackupError } from "./backup-error.ts";
import { copyIn } from "./copy-stream.ts";
import { quoted } from "./dump-database.ts";

export type LoadPlan = Pick<BackupManifest, "schema" | "tables" | "sequences">;

/**
 * Fills an empty database from a backup, all in one transaction: the schema as it was, the rows, the later migrations
 * of this program over them, and then `complete`, which may still refuse. Until the commit nobody sees any of it.
 * Errors: `not-empty`, `backup-newer`, `backup-foreign`, whatever `rows` and `complete` throw.
 */
export async function loadDatabase(
  database: Database,
  plan: LoadPlan,
  {
    rows,
    complete,
    roles,
  }: {
    rows(table: string): AsyncIterable<Buffer>;
    complete(tx: Transaction): Promise<void>;
    roles?: DatabaseRoles | undefined;
  },
): Promise<void> {
  checkSchema(plan.schema);
  const client = database.newClient();
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("BEGIN");
    await client.query("SET LOCAL statement_timeout = 0; SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'");
    const tx = transactionOf(client);
    await checkEmpty(tx);
    await migrateWithin(tx, migrations.slice(0, plan.schema.version));
    for (const table of inOrderOfReferences(plan.tables, await referencesOf(tx))) {
      const columns = table.columns.map(quoted).join(", ");
      await copyIn(client, `COPY ${quoted(table.name)} (${columns}) FROM STDIN`, rows(table.name));
      await checkCount(tx, table);
    }
    for (const { name, value } of plan.sequences)
      await tx.query("SELECT setval(to_regclass($1), $2)", [quoted(name), value]);
    await migrateWithin(tx, migrations);
    await secureTenantTables(tx, roles);
    await complete(tx);
    await client.query("COMMIT");
    // The planner knows nothing of tables that were filled in one go.
    await client.query("ANALYZE");
  } finally {
    // Whatever was not committed is rolled back with the connection.
    await client.end().catch(() => undefined);
  }
}

/** Whether this program can restore a database of that schema. Errors: `backup-newer`, `backup-foreign`. */
export function checkSchema(schema: LoadPlan["schema"], list: readonly Migration[] = migrations): void {
  if (schema.version > list.length) {
    throw new BackupError(
      "backup-newer",
      `The backup is of schema version ${schema.version} and this program knows ${list.length}: restore it with the version of the program that made it, or a newer one.`,
    );
  }
  for (const [index, { name, checksum }] of schema.migrations.entries()) {
    const own = list[index];
    if (own === undefined || migrationChecksum(own) !== checksum) {
      throw new BackupError(
        "backup-foreign",
        `Migration ${index + 1} (${name}) of the backup is not the one this program carries: it was made by a different build.`,
      );
    }
  }
}

/** Errors: `not-empty`. */
export async function checkEmpty(tx: Pick<Transaction, "query">): Promise<void> {
  const { rows } = await tx.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY 1",
  );
  const [first] = rows;
  if (first === undefined) return;
  throw new BackupError(
    "not-empty",
    `The database holds ${rows.length} tables already (${first.name}, ...): restore into an empty one, or with a fresh --data-dir.`,
  );
}

function transactionOf(client: pg.Client): Transaction {
  return {
    isTransaction: true,
    // Nobody can be waiting for what is not there yet.
    notify: () => undefined,
    query: async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
      const { rows, rowCount } = await client.query(sql, [...values]);
      return { rows: rows as Row[], rowCount: rowCount ?? 0 };
    },
  };
}

async function checkCount(tx: Transaction, { name, rows: expected }: { name: string; rows: number }): Promise<void> {
  const { rows } = await tx.query<{ count: number }>(`SELECT count(*) AS count FROM ${quoted(name)}`);
  const found = rows[0]?.count;
  if (found !== expected)
    throw new BackupError("backup-damaged", `The table ${name} has ${found} rows and the backup counts ${expected}.`);
}

async function referencesOf(tx: Transaction): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await tx.query<{ name: string; needs: string[] }>(
    `SELECT c.relname AS name, array_agg(r.relname::text) AS needs
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
     WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace AND k.conrelid <> k.confrelid
     GROUP BY c.relname`,
  );
  return new Map(rows.map(({ name, needs }) => [name, needs]));
}

/** What others refer to comes before them. */
function inOrderOfReferences<Table extends { name: string }>(
  tables: readonly Table[],
  references: ReadonlyMap<string, readonly string[]>,
): Table[] {
  const ordered: Table[] = [];
  const waiting = [...tables];
  while (waiting.length > 0) {
    const at = waiting.findIndex(({ name }) =>
      (references.get(name) ?? []).every((needed) => !waiting.some((other) => other.name === needed)),
    );
    const [next] = waiting.splice(at, 1);
    if (at < 0 || next === undefined) throw new Error("broken invariant: the tables refer to one another in a circle");
    ordered.push(next);
  }
  return ordered;
}
