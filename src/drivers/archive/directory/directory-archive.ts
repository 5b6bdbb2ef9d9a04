import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Checkpoint, parseCheckpointText, tenantOfOrigin } from "../../../core/audit/checkpoint.ts";
import { parseSignedNote } from "../../../core/audit/signed-note.ts";
import { ContinuumError } from "../../../core/error.ts";
import type { Archive, ArchivedCheckpoint, ArchiveErrorCode } from "../archive.ts";

/** Sixteen digits, so that names sort as sizes do. */
const FILE = /^(\d{16})\.checkpoint$/;

/**
 * Checkpoints as files: `ROOT/<origin>/<size in 16 digits>.checkpoint`, each the signed note and nothing else. A file
 * appears whole or not at all, is on the disk and was read back before anyone is told, and is never written over. Lies
 * best where the database's keeper cannot write: another disk, a mounted share, a folder that is copied away.
 */
export function directoryArchive({ root }: { root: string }): Archive {
  return {
    name: "directory",
    keepsAll: true,
    publish: async ({ origin, size, note }) => {
      const folder = folderOf(root, origin);
      const given = checkpointIn(note);
      if (given === undefined || given.origin !== origin || given.size !== size)
        throw failure("archive-refused", "what was given is no checkpoint of that log and size");
      try {
        await mkdir(folder, { recursive: true });
        await writeOnce(folder, fileOf(size), note);
      } catch (error) {
        throw failure("archive-unavailable", `the folder of checkpoints cannot be written: ${codeOf(error)}`, error);
      }
      const there = checkpointIn(await read(join(folder, fileOf(size))));
      // A signature may differ from one time to the next; what it says may not.
      if (there?.origin !== origin || there.size !== size || there.rootHash !== given.rootHash)
        throw failure("archive-conflict", `the archive holds another checkpoint of size ${size}`);
      return { cosignatures: [] };
    },
    kept: async function* (origin) {
      const folder = folderOf(root, origin);
      for (const { file, size } of await filesIn(folder)) yield { size, note: await read(join(folder, file)) };
    },
    newest: async (origin): Promise<ArchivedCheckpoint | undefined> => {
      const folder = folderOf(root, origin);
      // Asked before each signature, so without putting years of names in order.
      const last = (await namesIn(folder)).reduce((largest, name) => (name > largest ? name : largest), "");
      return last === "" ? undefined : { size: sizeOf(last), note: await read(join(folder, last)) };
    },
  };
}

/** Only names that a log can have become folders. */
function folderOf(root: string, origin: string): string {
  if (tenantOfOrigin(origin) === undefined)
    throw failure("archive-refused", "the name of the log is none of an installation's");
  return join(root, ...origin.split("/"));
}

const fileOf = (size: number) => `${String(size).padStart(16, "0")}.checkpoint`;

const sizeOf = (name: string) => Number(FILE.exec(name)?.[1]);

async function filesIn(folder: string): Promise<{ file: string; size: number }[]> {
  return (await namesIn(folder)).sort().map((file) => ({ file, size: sizeOf(file) }));
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((file) => FILE.test(file));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw failure("archive-unavailable", `the folder of checkpoints cannot be read: ${codeOf(error)}`, error);
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw failure("archive-unavailable", `a checkpoint cannot be read: ${codeOf(error)}`, error);
  }
}

/** Leaves a file that is there as it is. */
async function writeOnce(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const part = join(folder, `.${name}.${randomUUID()}`);
  try {
    const file = await open(part, "wx", 0o444);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike a rename, a link never takes the place of what is there.
    await link(part, join(folder, name));
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  } finally {
    await rm(part, { force: true });
  }
  await syncFolder(folder);
}

/** The name is only safe once the folder is. Windows has no such thing. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function checkpointIn(note: Uint8Array): Checkpoint | undefined {
  const parsed = parseSignedNote(note);
  if (!parsed.ok) return undefined;
  const checkpoint = parseCheckpointText(parsed.value.text);
  return checkpoint.ok ? checkpoint.value : undefined;
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "unknown";
}

function failure(code: ArchiveErrorCode, message: string, cause?: unknown): ContinuumError<ArchiveErrorCode> {
  return new ContinuumError(code, message, { cause, retryable: code === "archive-unavailable" });
}
