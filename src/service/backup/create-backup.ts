import { type BackupManifest, keyFingerprint, manifestSeal } from "../../core/backup/manifest.ts";
import type { BackupSummary } from "../../core/backup/summary.ts";
import { appendAudit, sequenceAllAudit } from "../../engine/audit-log.ts";
import { SYSTEM } from "../../engine/engine.ts";
import { ArchiveWriter } from "../../store/backup/archive-writer.ts";
import { listArtifactFiles, openArtifactFile } from "../../store/backup/artifact-files.ts";
import { dumpDatabase } from "../../store/backup/dump-database.ts";
import type { Database } from "../../store/database.ts";
import { listTenants } from "../../store/queries/tenant-list.ts";

import { type BackupParts, sealingKey } from "./backup-parts.ts";
import { summaryOf } from "./verify-backup.ts";

export interface CreateBackupOptions {
  database: Database;
  parts: BackupParts;
  /** The file to write; must not exist. */
  out: string;
  programVersion: string;
  /** The text of `continuum.yaml`, where there is one; it holds references, never secrets. */
  configText?: string | undefined;
  signal?: AbortSignal | undefined;
  nowMs(): number;
}

/**
 * Writes everything that matters into one tar file, while everything goes on. The database is that of one moment; the
 * artifacts are read after it, and since their content never changes, all that this moment refers to are among them.
 * Errors: `backup-not-written`, `database-unavailable`.
 */
export async function createBackup(options: CreateBackupOptions): Promise<BackupSummary> {
  const { database, parts, out, programVersion, signal, nowMs } = options;
  const atMs = nowMs();
  const archive = await ArchiveWriter.create(out, atMs);
  try {
    const head = {
      format: "continuum-backup" as const,
      version: 1 as const,
      createdAt: new Date(atMs).toISOString(),
      program: { version: programVersion },
    };
    await archive.add("backup.json", jsonBytes(head));
    if (options.configText !== undefined) await archive.add("config/continuum.yaml", Buffer.from(options.configText));
    // The head then covers all but the last moment, and a restore proves it.
    await sequenceAllAudit(database);
    const dump = await dumpDatabase(database, async ({ path, bytes, rows }) => {
      signal?.throwIfAborted();
      await archive.add(path, bytes, rows);
    });
    await addArtifacts(archive, { root: parts.artifactsRoot, signal });
    const key = sealingKey(parts.keys);
    if (key === undefined) throw new Error("broken invariant: a backup is sealed with the artifact store's key");
    const keys = parts.keys.map(({ purpose, reference, bytes }) => ({
      ...{ purpose, reference, fingerprint: keyFingerprint(bytes) },
    }));
    const manifest: BackupManifest = { ...head, ...dump, keys, parts: [...archive.parts] };
    const manifestBytes = jsonBytes(manifest);
    await archive.add("manifest.json", manifestBytes);
    await archive.add(
      "seal.json",
      jsonBytes({ key: "artifact-store", hmacSha256: manifestSeal(key.bytes, manifestBytes) }),
    );
    signal?.throwIfAborted();
    await archive.finish();
    const summary = summaryOf(manifest, manifestBytes, archive.bytes);
    await tellOfBackup(database, summary, atMs);
    return summary;
  } finally {
    await archive.abandon();
  }
}

/**
 * Looks again until there is nothing new: an object whose key is changed meanwhile goes from one folder into another,
 * and a single look could miss it in both.
 */
async function addArtifacts(
  archive: ArchiveWriter,
  { root, signal }: { root: string; signal: AbortSignal | undefined },
): Promise<void> {
  const added = new Set<string>();
  for (let isNew = true; isNew; ) {
    isNew = false;
    for (const { path, sizeBytes } of await listArtifactFiles(root)) {
      if (added.has(path)) continue;
      signal?.throwIfAborted();
      const content = await openArtifactFile(root, path);
      if (content === undefined) continue;
      await archive.addStream({ path: `artifacts/${path}`, sizeBytes }, content);
      added.add(path);
      isNew = true;
    }
  }
}

async function tellOfBackup(database: Database, summary: BackupSummary, atMs: number): Promise<void> {
  await database.transaction(async (tx) => {
    for (const tenant of await listTenants(tx))
      await appendAudit(tx, {
        ...{ tenant, atMs, actor: SYSTEM, action: "backup.create", outcome: "accepted" },
        subject: `backup:${summary.id}`,
        details: { detailsDigest: `sha256:${summary.manifestSha256}`, sizeBytes: summary.sizeBytes },
      });
  });
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
