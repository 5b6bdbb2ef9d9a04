import type pg from "pg";
import type { BackupManifest } from "../../core/backup/manifest.ts";
import type { Database } from "../database.ts";
import { appliedMigrations } from "../migrate.ts";
import { StoreError } from "../store-error.ts";
import { copyOut } from "./copy-stream.ts";

/** Of processes that live now: somewhere else they mean nothing. */
const LEFT_OUT = new Set(["workers", "schema_migrations"]);
const PIECE_BYTES = 4 * 1024 * 1024;

export interface DumpSummary {
  postgres: BackupManifest["postgres"];
  schema: BackupManifest["schema"];
  tables: BackupManifest["tables"];
  sequences: BackupManifest["sequences"];
}

/**
 * Every table as it is at one moment, while everything goes on: one REPEATABLE READ snapshot, read by COPY. `take` gets
 * piece after piece and is waited for, so that a database of any size passes through little memory.
 */
export async function dumpDatabase(
  database: Database,
  take: (piece: { path: string; bytes: Buffer; rows: number }) => Promise<void>,
): Promise<DumpSummary> {
  const client = database.newClient();
  // A connection that breaks fails the statement under way; without a listener it would end the process as well.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    // What the text of a value looks like must not depend on the server's settings.
    await client.query(
      `SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'; SET LOCAL bytea_output = 'hex';
       SET LOCAL extra_float_digits = 1; SET LOCAL intervalstyle = 'postgres'; SET LOCAL statement_timeout = 0`,
    );
    const migrations = await appliedMigrations({
      query: async (sql: string) => {
        const { rows, rowCount } = await client.query(sql);
        return { rows, rowCount: rowCount ?? 0 };
      },
    });
    if (migrations.length === 0)
      throw new StoreError(
        "database-older",
        "There is nothing to back up: the database has no tables of Continuum yet.",
      );
    const tables: DumpSummary["tables"] = [];
    for (const { name, columns } of await tablesOf(client)) {
      let rows = 0;
      let number = 0;
      const sql = `COPY ${quoted(name)} (${columns.map(quoted).join(", ")}) TO STDOUT`;
      for await (const piece of copyOut(client, sql, PIECE_BYTES)) {
        number += 1;
        rows += piece.rows;
        await take({ path: piecePath(name, number), ...piece });
      }
      tables.push({ name, columns, rows });
    }
    const { rows: version } = await client.query<{ version: string }>(
      "SELECT current_setting('server_version') AS version",
    );
    return {
      postgres: { version: version[0]?.version ?? "" },
      schema: { version: migrations.length, migrations },
      tables,
      // Sequences stand outside of transactions: read last, they are never behind the rows.
      sequences: await sequencesOf(client),
    };
  } finally {
    await client.end().catch(() => undefined);
  }
}

function piecePath(table: string, number: number): string {
  return `database/${table}/${String(number).padStart(6, "0")}.copy`;
}

async function tablesOf(client: pg.Client): Promise<{ name: string; columns: string[] }[]> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
       AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     GROUP BY c.relname ORDER BY c.relname`,
  );
  return rows.filter(({ name }) => !LEFT_OUT.has(name));
}

async function sequencesOf(client: pg.Client): Promise<DumpSummary["sequences"]> {
  const { rows } = await client.query<{ name: string; value: number }>(
    `SELECT sequencename AS name, last_value AS value FROM pg_sequences
     WHERE schemaname = current_schema() AND last_value IS NOT NULL ORDER BY sequencename`,
  );
  return rows;
}

export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
