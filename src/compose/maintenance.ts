import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import type { BackupVerdict, RestoreSummary } from "../core/backup/summary.ts";
import { ContinuumError } from "../core/error.ts";
import { storeKey } from "../drivers/artifacts/sealed-object.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import { onlyStart } from "../roles/only-start.ts";
import { programLog } from "../roles/program-log.ts";
import type { BackupKeyAtHand, BackupParts } from "../service/backup/backup-parts.ts";
import { createBackup } from "../service/backup/create-backup.ts";
import { restoreBackup } from "../service/backup/restore-backup.ts";
import { verifyBackup } from "../service/backup/verify-backup.ts";
import { bootstrap } from "../service/bootstrap.ts";
import { BackupError } from "../store/backup/backup-error.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { hasEmbedded, startEmbedded } from "../store/embedded/embedded.ts";
import { migrate, requireSchema, schemaState } from "../store/migrate.ts";
import type { Maintenance } from "../surfaces/cli/injected.ts";

/** What an operator does to a set-up from outside of the running program. */
export function composeMaintenance({ version }: { version: string }): Maintenance {
  return {
    migrate: ({ config, check }) =>
      withDatabase(config, { make: !check }, (database) => (check ? schemaState(database) : migrate(database))),
    bootstrap: ({ config }) =>
      withDatabase(config, { make: false }, async (database) => {
        await requireSchema(database);
        return bootstrap({ database, nowMs: Date.now }, { tenant: config.tenant });
      }),
    createBackup: async ({ config, out, configFile, postgresBin }) => {
      const parts = await backupParts(config);
      const configText = configFile === undefined ? undefined : await readFile(configFile, "utf8");
      const how = { make: false, postgresBin };
      return whileNotStopped((signal) =>
        withDatabase(config, how, (database) =>
          createBackup({ database, parts, out, programVersion: version, configText, signal, nowMs: Date.now }),
        ),
      );
    },
    verifyBackup: async ({ config, path }): Promise<BackupVerdict> => {
      const { archive, summary, seal } = await verifyBackup(path, await keyIfThere(config));
      await archive.close();
      return { ...summary, seal };
    },
    restoreBackup: ({ config, path }) => restore(config, path),
  };
}

async function restore(config: Config, path: string): Promise<RestoreSummary> {
  const artifactKey = (await keyIfThere(config)) ?? (await keyIsMissing(config, path));
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  // A program that starts meanwhile would make its first tenant in what has to be empty.
  const release = await onlyStart(config.dataDir);
  let close = async () => undefined as unknown;
  try {
    return await restoreBackup({
      ...{
        path,
        parts: { artifactsRoot: artifactsRoot(config), artifactKey },
        dataDir: config.dataDir,
        nowMs: Date.now,
      },
      openDatabase: async () => {
        const opened = await open(config, {});
        close = opened.close;
        return opened.database;
      },
    });
  } finally {
    await close();
    await release();
  }
}

const artifactsRoot = (config: Config) => join(config.dataDir, "artifacts");

async function backupParts(config: Config): Promise<BackupParts> {
  return { artifactsRoot: artifactsRoot(config), artifactKey: await keyOf(config) };
}

async function keyOf(config: Config): Promise<BackupKeyAtHand> {
  const reference = config.artifacts.keyReference;
  const secret = await localSecrets({ environment: process.env }).read(reference);
  return { reference, bytes: storeKey(secret).secret };
}

async function keyIfThere(config: Config): Promise<BackupKeyAtHand | undefined> {
  try {
    return await keyOf(config);
  } catch (error) {
    if (error instanceof ContinuumError && error.code === "secret-not-found") return undefined;
    throw error;
  }
}

/** Read without it, the backup says which one it needs. */
async function keyIsMissing(config: Config, path: string): Promise<never> {
  const { archive, summary } = await verifyBackup(path, undefined);
  await archive.close();
  const [needed] = summary.keys;
  throw new BackupError(
    "backup-key",
    `There is no key at ${config.artifacts.keyReference}: bring the artifact store's key there first (it was ${needed?.reference}, its fingerprint is ${needed?.fingerprint}). A backup never holds keys.`,
  );
}

async function withDatabase<T>(
  config: Config,
  how: { make: boolean; postgresBin?: string | undefined },
  work: (database: Database) => Promise<T>,
): Promise<T> {
  if (!how.make && config.databaseUrl === undefined && !(await hasEmbedded(config.dataDir)))
    throw new ContinuumError(
      "no-database",
      `There is no database in ${config.dataDir}: name the folder with --data-dir, or your own PostgreSQL with --database-url.`,
    );
  const { database, close } = await open(config, how);
  try {
    return await work(database);
  } finally {
    await close();
  }
}

/** One's own server, or the embedded one: attached to when it runs, else started for as long as this takes. */
async function open(
  config: Config,
  { postgresBin }: { postgresBin?: string | undefined },
): Promise<{ database: Database; close(): Promise<void> }> {
  const log = programLog({ level: config.logLevel === "info" ? "warn" : config.logLevel, role: "maintenance" });
  const embedded =
    config.databaseUrl === undefined
      ? await startEmbedded({ dataDir: config.dataDir, log, binDir: postgresBin })
      : undefined;
  try {
    const database = await openDatabase(embedded?.url ?? config.databaseUrl ?? "", {
      ...{ max: 2, applicationName: "continuum-maintenance", patienceMs: 5000, log },
    });
    return {
      database,
      close: async () => {
        await database.close();
        await embedded?.stop();
      },
    };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

/** Ctrl-C takes away what was begun, where the default would leave it half written. */
async function whileNotStopped<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const onSignal = () => stop.abort(new ContinuumError("stopped", "It was stopped; nothing of it was left."));
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await work(stop.signal);
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}
