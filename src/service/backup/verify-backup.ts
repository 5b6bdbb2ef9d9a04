import { createHash } from "node:crypto";
import { z } from "zod";
import {
  type BackupManifest,
  type BackupPart,
  isSealedBy,
  keyFingerprint,
  parseManifest,
} from "../../core/backup/manifest.ts";
import type { BackupSummary, BackupVerdict } from "../../core/backup/summary.ts";
import { type ArchiveEntry, ArchiveReader } from "../../store/backup/archive-reader.ts";
import { BackupError } from "../../store/backup/backup-error.ts";

import { type KeyAtHand, keyAtHand, keysLike, sealingKey } from "./backup-parts.ts";

const sealSchema = z.strictObject({ key: z.literal("artifact-store"), hmacSha256: z.string().regex(/^[0-9a-f]{64}$/) });
const headSchema = z.looseObject({ format: z.literal("continuum-backup"), version: z.number().int() });
const MANIFEST_BYTES_MAX = 256 * 1024 * 1024;

/** A backup that was read from its first byte to its last and is what was written. The caller closes the archive. */
export interface VerifiedBackup {
  archive: ArchiveReader;
  manifest: BackupManifest;
  summary: BackupSummary;
  seal: BackupVerdict["seal"];
}

/**
 * Reads all of a backup and compares it with what its manifest says: every part's hash, that none is missing or was
 * added, the tables' rows. With the keys of a set-up, also that they are those it needs, and that it was sealed with them. Errors: `backup-damaged` with the place,
 * `backup-newer`, `backup-key`.
 */
export async function verifyBackup(path: string, keys: readonly KeyAtHand[]): Promise<VerifiedBackup> {
  const archive = await ArchiveReader.open(path);
  try {
    await checkHead(archive);
    const manifestBytes = await smallPart(archive, "manifest.json");
    const parsed = parseManifest(manifestBytes);
    if (!parsed.ok) throw archive.damaged(`its manifest ${parsed.problem.path} ${parsed.problem.message}`, 0);
    const manifest = parsed.value;
    checkKeys(manifest, keys);
    const sealed = manifest.keys.find(({ purpose }) => purpose === "artifact-store");
    const seal = await checkSeal(
      archive,
      manifestBytes,
      sealed === undefined ? sealingKey(keys) : keyAtHand(sealed, keys),
    );
    checkRows(archive, manifest);
    await checkParts(archive, manifest);
    return { archive, manifest, summary: summaryOf(manifest, manifestBytes, sizeOf(archive)), seal };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

export function summaryOf(manifest: BackupManifest, manifestBytes: Uint8Array, sizeBytes: number): BackupSummary {
  const manifestSha256 = createHash("sha256").update(manifestBytes).digest("hex");
  return {
    id: manifestSha256.slice(0, 16),
    manifestSha256,
    createdAt: manifest.createdAt,
    programVersion: manifest.program.version,
    postgresVersion: manifest.postgres.version,
    schemaVersion: manifest.schema.version,
    rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
    tables: manifest.tables.length,
    artifacts: manifest.parts.filter(({ path }) => path.startsWith("artifacts/")).length,
    sizeBytes,
    hasConfig: manifest.parts.some(({ path }) => path === "config/continuum.yaml"),
    keys: manifest.keys,
  };
}

/** The part of a manifest as it lies in the archive. */
export function entryOf(archive: ArchiveReader, part: Pick<BackupPart, "path">): ArchiveEntry {
  const entry = archive.entries.get(part.path);
  if (entry === undefined) throw archive.damaged(`${part.path} is missing`, 0);
  return entry;
}

async function checkHead(archive: ArchiveReader): Promise<void> {
  let head: unknown;
  try {
    head = JSON.parse((await smallPart(archive, "backup.json")).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw archive.damaged("backup.json is no JSON", 0);
    throw error;
  }
  const parsed = headSchema.safeParse(head);
  if (!parsed.success) throw archive.damaged("backup.json does not say that this is a backup", 0);
  if (parsed.data.version !== 1)
    throw new BackupError(
      "backup-newer",
      `The backup has format ${parsed.data.version} and this program knows format 1: use the version of the program that made it, or a newer one.`,
    );
}

async function smallPart(archive: ArchiveReader, path: string): Promise<Buffer> {
  const entry = entryOf(archive, { path });
  if (entry.sizeBytes > MANIFEST_BYTES_MAX) throw archive.damaged(`${path} is larger than it can be`, entry.offset);
  return archive.read(entry);
}

/** A key that is at hand must be the one that was in use. */
function checkKeys({ keys: needed }: BackupManifest, keys: readonly KeyAtHand[]): void {
  for (const wanted of needed) {
    const [other] = keysLike(wanted, keys);
    // One that was on its way out then may be gone for good by now; a restore asks for it.
    if (other === undefined || wanted.purpose === "artifact-store-previous") continue;
    if (keyAtHand(wanted, keys) === undefined)
      throw new BackupError(
        "backup-key",
        `The backup needs the ${wanted.purpose} key with the fingerprint ${wanted.fingerprint} (it was ${wanted.reference}); the one at ${other.reference} has ${keyFingerprint(other.bytes)}: put the right key there.`,
      );
  }
}

async function checkSeal(
  archive: ArchiveReader,
  manifestBytes: Buffer,
  key: KeyAtHand | undefined,
): Promise<VerifiedBackup["seal"]> {
  let stated: unknown;
  try {
    stated = JSON.parse((await smallPart(archive, "seal.json")).toString("utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const seal = sealSchema.safeParse(stated);
  if (!seal.success) throw archive.damaged("its seal cannot be read", entryOf(archive, { path: "seal.json" }).offset);
  if (key === undefined) return "no-key";
  if (isSealedBy(key.bytes, manifestBytes, seal.data.hmacSha256)) return "verified";
  throw new BackupError(
    "backup-damaged",
    "The backup's manifest is not the one that was sealed with the artifact store's key: it was changed after it was made.",
  );
}

function checkRows(archive: ArchiveReader, manifest: BackupManifest): void {
  const found = new Map<string, number>();
  for (const { path, rows = 0 } of manifest.parts) {
    const table = /^database\/([^/]+)\//.exec(path)?.[1];
    if (table !== undefined) found.set(table, (found.get(table) ?? 0) + rows);
  }
  for (const { name, rows } of manifest.tables) {
    if ((found.get(name) ?? 0) !== rows)
      throw archive.damaged(`its manifest counts ${rows} rows of ${name} and names others`, 0);
    found.delete(name);
  }
  const [left] = found.keys();
  if (left !== undefined) throw archive.damaged(`its manifest has no table ${left}`, 0);
}

async function checkParts(archive: ArchiveReader, { parts }: BackupManifest): Promise<void> {
  const named = new Set(["manifest.json", "seal.json"]);
  for (const part of parts) {
    const entry = entryOf(archive, part);
    if (entry.sizeBytes !== part.bytes)
      throw archive.damaged(`${part.path} has ${entry.sizeBytes} bytes and should have ${part.bytes}`, entry.offset);
    for await (const _ of archive.checkedStream(entry, part.sha256)); // throws at its end when it is another
    named.add(part.path);
  }
  for (const { path, offset } of archive.entries.values())
    if (!named.has(path)) throw archive.damaged(`${path} was not in it when it was made`, offset);
}

function sizeOf(archive: ArchiveReader): number {
  const [last] = [...archive.entries.values()].toSorted((a, b) => b.offset - a.offset);
  return last === undefined ? 0 : Math.ceil((last.offset + last.sizeBytes) / 512) * 512 + 1024;
}
