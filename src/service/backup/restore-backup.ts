import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BackupManifest } from "../../core/backup/manifest.ts";
import type { BackupSummary, RestoreSummary } from "../../core/backup/summary.ts";
import { appendAudit } from "../../engine/audit-log.ts";
import { verifyAuditWithin } from "../../engine/audit-verify.ts";
import { SYSTEM } from "../../engine/engine.ts";
import type { ArchiveReader } from "../../store/backup/archive-reader.ts";
import { checkArtifactRoom, writeArtifactFile } from "../../store/backup/artifact-files.ts";
import { BackupError } from "../../store/backup/backup-error.ts";
import { checkEmpty, checkSchema, loadDatabase } from "../../store/backup/load-database.ts";
import type { Database, Transaction } from "../../store/database.ts";
import { settleRestored } from "../../store/queries/restored-work.ts";
import { listTenants } from "../../store/queries/tenant-list.ts";
import type { DatabaseRoles } from "../../store/roles.ts";

import { type BackupParts, keyAtHand } from "./backup-parts.ts";
import { entryOf, verifyBackup } from "./verify-backup.ts";

export interface RestoreBackupOptions {
  path: string;
  parts: BackupParts;
  dataDir: string;
  /** Who gets which rights to the tables; those of the embedded database when not said. */
  databaseRoles?: DatabaseRoles;
  /** Opens the database to fill; called once the whole file was found to be sound. The caller closes it. */
  openDatabase(): Promise<Database>;
  nowMs(): number;
}

/** The artifact of this path in the store's folder. */
const artifactPath = (path: string) => path.slice("artifacts/".length);

/**
 * Brings a backup into an empty set-up. First the file is read from end to end, the keys are compared, and the place is
 * looked at: nothing is written before all of that holds. The database changes in one transaction, the last step, with
 * its audit log verified in it. Errors: those of `verifyBackup`, `not-empty`, `backup-newer`, `backup-foreign`.
 */
export async function restoreBackup(options: RestoreBackupOptions): Promise<RestoreSummary> {
  const { path, parts, dataDir, nowMs } = options;
  const { archive, manifest, summary } = await verifyBackup(path, parts.keys);
  try {
    requireKeys(manifest, parts);
    checkSchema(manifest.schema);
    const artifacts = manifest.parts.filter((part) => part.path.startsWith("artifacts/"));
    const expected = new Map(artifacts.map((part) => [artifactPath(part.path), part.sha256]));
    await checkArtifactRoom(parts.artifactsRoot, expected);
    const database = await options.openDatabase();
    await checkEmpty(database);
    // Nobody refers to them until the database does, so a restore that breaks off here has changed nothing.
    for (const part of artifacts)
      await writeArtifactFile(
        parts.artifactsRoot,
        artifactPath(part.path),
        archive.checkedStream(entryOf(archive, part), part.sha256),
      );
    const configFile = await restoreConfig(archive, manifest, dataDir);
    const restored = { tenants: 0, openRollouts: 0, auditEntries: 0 };
    await loadDatabase(database, manifest, {
      roles: options.databaseRoles,
      rows: (table) => rowsOf(archive, manifest, table),
      complete: async (tx) => void Object.assign(restored, await complete(tx, summary, nowMs())),
    });
    return { ...summary, ...restored, configFile };
  } finally {
    await archive.close();
  }
}

function requireKeys({ keys }: BackupManifest, parts: BackupParts): void {
  const missing = keys.find((needed) => keyAtHand(needed, parts.keys) === undefined);
  if (missing === undefined) return;
  throw new BackupError(
    "backup-key",
    `The ${missing.purpose} key is not here: bring it to its place first (it was ${missing.reference}, its fingerprint is ${missing.fingerprint}). A backup never holds keys.`,
  );
}

/** Read again and hashed again: between the verification and this a file may change. */
async function* rowsOf(archive: ArchiveReader, manifest: BackupManifest, table: string): AsyncGenerator<Buffer> {
  const parts = manifest.parts.filter(({ path }) => path.startsWith(`database/${table}/`));
  for (const part of parts.toSorted((a, b) => (a.path < b.path ? -1 : 1)))
    yield* archive.checkedStream(entryOf(archive, part), part.sha256);
}

async function complete(
  tx: Transaction,
  summary: BackupSummary,
  atMs: number,
): Promise<Pick<RestoreSummary, "tenants" | "openRollouts" | "auditEntries">> {
  const tenants = await listTenants(tx);
  let auditEntries = 0;
  for (const tenant of tenants) {
    const { ok, size, problem } = await verifyAuditWithin(tx, tenant);
    if (!ok)
      throw new BackupError(
        "backup-damaged",
        `The audit log of ${tenant} in the backup does not hold: entry ${problem?.position ?? "?"}: ${problem?.message ?? "it does not fit its head"}. Nothing was restored.`,
      );
    auditEntries += size;
  }
  const { openRollouts, generation } = await settleRestored(tx, atMs);
  for (const tenant of tenants)
    await appendAudit(tx, {
      ...{ tenant, atMs, actor: SYSTEM, action: "backup.restore", outcome: "accepted" },
      subject: `backup:${summary.id}`,
      details: { detailsDigest: `sha256:${summary.manifestSha256}`, generation },
    });
  return { tenants: tenants.length, openRollouts, auditEntries };
}

/** Laid beside and never put in force: the settings of another host need not be this one's. */
async function restoreConfig(
  archive: ArchiveReader,
  manifest: BackupManifest,
  dataDir: string,
): Promise<string | null> {
  const part = manifest.parts.find(({ path }) => path === "config/continuum.yaml");
  if (part === undefined) return null;
  const file = join(dataDir, "continuum.restored.yaml");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(file, await archive.read(entryOf(archive, part)), { mode: 0o600 });
  return file;
}
