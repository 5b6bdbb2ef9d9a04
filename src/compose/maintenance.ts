import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeClientFile } from "../config/client-settings.ts";
import type { Config } from "../config/schema.ts";
import type { BackupVerdict, RestoreSummary } from "../core/backup/summary.ts";
import { ContinuumError } from "../core/error.ts";
import { storeKey } from "../drivers/artifacts/sealed-object.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import { webhookSealingKey } from "../engine/webhook-secret.ts";
import { onlyStart } from "../roles/only-start.ts";
import { programLog } from "../roles/program-log.ts";
import { type BackupParts, type KeyAtHand, sealingKey } from "../service/backup/backup-parts.ts";
import { createBackup } from "../service/backup/create-backup.ts";
import { recoverAdmin } from "../service/backup/recover-admin.ts";
import { restoreBackup } from "../service/backup/restore-backup.ts";
import { verifyBackup } from "../service/backup/verify-backup.ts";
import { bootstrap } from "../service/bootstrap.ts";
import { rekeyArtifacts } from "../service/rekey-artifacts.ts";
import { BackupError } from "../store/backup/backup-error.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { hasEmbedded, startEmbedded } from "../store/embedded/embedded.ts";
import { migrate, requireSchema, schemaState } from "../store/migrate.ts";
import { DATABASE_ROLES } from "../store/roles.ts";
import type { Maintenance } from "../surfaces/cli/injected.ts";
import { composeRekey } from "./compose-artifacts.ts";

/** What an operator does to a set-up from outside of the running program. */
export function composeMaintenance({ version }: { version: string }): Maintenance {
  return {
    migrate: ({ config, check }) =>
      withDatabase(config, { make: !check }, (database) =>
        check ? schemaState(database) : migrate(database, undefined, databaseRoles(config)),
      ),
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
      const { archive, summary, seal } = await verifyBackup(path, await keysOf(config));
      await archive.close();
      return { ...summary, seal };
    },
    restoreBackup: ({ config, path, newAdminToken }) => restore(config, { path, newAdminToken }),
    rekeyArtifacts: async ({ config }) => {
      const { artifacts, keyId } = await composeRekey(config);
      return whileNotStopped((signal) =>
        withDatabase(config, { make: false }, async (database) => {
          await requireSchema(database);
          return rekeyArtifacts({ database, artifacts, keyId, signal, nowMs: Date.now });
        }),
      );
    },
  };
}

const databaseRoles = (config: Config) => (config.databaseUrl === undefined ? DATABASE_ROLES : config.databaseRoles);

async function restore(
  config: Config,
  { path, newAdminToken }: { path: string; newAdminToken: boolean },
): Promise<RestoreSummary> {
  const parts = { artifactsRoot: artifactsRoot(config), keys: await keysOf(config) };
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  // A program that starts meanwhile would make its first tenant in what has to be empty.
  const release = await onlyStart(config.dataDir);
  let close = async () => undefined as unknown;
  let database: Database | undefined;
  try {
    const restored = await restoreBackup({
      ...{ path, parts, dataDir: config.dataDir, nowMs: Date.now, databaseRoles: databaseRoles(config) },
      openDatabase: async () => {
        const opened = await open(config, {});
        close = opened.close;
        database = opened.database;
        return opened.database;
      },
    });
    if (newAdminToken && database !== undefined) {
      const token = await recoverAdmin({ database, nowMs: Date.now }, { tenant: config.tenant });
      // `start` writes the address that it listens at.
      writeClientFile(config.dataDir, { url: `http://127.0.0.1:${config.api.port}`, token });
    }
    return restored;
  } finally {
    await close();
    await release();
  }
}

const artifactsRoot = (config: Config) => join(config.dataDir, "artifacts");

/** The keys that are there, each in the one form that it may be written in several of. */
async function keysOf(config: Config): Promise<KeyAtHand[]> {
  const previous = config.artifacts.previousKeyReference;
  const places = [
    { purpose: "artifact-store" as const, reference: config.artifacts.keyReference, form: artifactKey },
    { purpose: "artifact-store-previous" as const, reference: previous, form: artifactKey },
    { purpose: "webhooks" as const, reference: config.webhooks.keyReference, form: webhookSealingKey },
  ];
  const keys: KeyAtHand[] = [];
  for (const { purpose, reference, form } of places) {
    const secret = reference === undefined ? undefined : await secretIfThere(reference);
    if (secret !== undefined && reference !== undefined) keys.push({ purpose, reference, bytes: form(secret) });
  }
  return keys;
}

const artifactKey = (secret: Uint8Array) => storeKey(secret).secret;

async function secretIfThere(reference: string): Promise<Uint8Array | undefined> {
  try {
    return await localSecrets({ environment: process.env }).read(reference);
  } catch (error) {
    if (error instanceof ContinuumError && error.code === "secret-not-found") return undefined;
    throw error;
  }
}

async function backupParts(config: Config): Promise<BackupParts> {
  const keys = await keysOf(config);
  if (sealingKey(keys) === undefined)
    throw new BackupError(
      "backup-key",
      `There is no key of the artifact store at ${config.artifacts.keyReference}: name the data folder with --data-dir, or the key's place with artifacts.keyReference.`,
    );
  return { artifactsRoot: artifactsRoot(config), keys };
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
