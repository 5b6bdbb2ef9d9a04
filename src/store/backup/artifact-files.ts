import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BackupError } from "./backup-error.ts";

/** An encrypted artifact as it lies in the store: `<folder of its tenant>/<digest>`, both hexadecimal. */
export interface ArtifactFile {
  path: string;
  sizeBytes: number;
}

const FILE_NAME = /^[0-9a-f]{64}$/;

/** What lies in the store; files that are half written do not count. Each stays as it is for as long as it is there. */
export async function listArtifactFiles(root: string): Promise<ArtifactFile[]> {
  const files: ArtifactFile[] = [];
  for (const folder of (await namesIn(root)).filter((name) => FILE_NAME.test(name)).sort()) {
    for (const name of (await namesIn(join(root, folder))).filter((inner) => FILE_NAME.test(inner)).sort()) {
      const path = `${folder}/${name}`;
      const found = await stat(join(root, path)).catch(unlessGone);
      if (found !== undefined) files.push({ path, sizeBytes: found.size });
    }
  }
  return files;
}

/** The file's content; undefined when it is gone. Once this resolved it can be read to its end, whatever becomes of the name. */
export async function openArtifactFile(root: string, path: string): Promise<AsyncIterable<Buffer> | undefined> {
  const file = await open(join(root, path), "r").catch(unlessGone);
  return file?.createReadStream({ highWaterMark: 1024 * 1024 });
}

/**
 * What would have to give way to the backup's artifacts. Their names are their content's, so one that is there already,
 * from a restore that broke off or a host that lost its database alone, is no obstacle. Errors: `not-empty`.
 */
export async function checkArtifactRoom(root: string, expected: ReadonlyMap<string, string>): Promise<void> {
  for (const { path } of await listArtifactFiles(root)) {
    const sha256 = expected.get(path);
    if (sha256 === undefined || (await hashOf(root, path)) !== sha256)
      throw new BackupError(
        "not-empty",
        `${root} holds artifacts that are not in the backup: restore with a fresh --data-dir, or move that folder away.`,
      );
  }
}

/** Writes one artifact to its place; it appears whole or not at all. */
export async function writeArtifactFile(root: string, path: string, content: AsyncIterable<Buffer>): Promise<void> {
  const place = join(root, path);
  await mkdir(dirname(place), { recursive: true, mode: 0o700 });
  // The store takes such a name for what a crash left behind, and clears it away.
  const part = join(dirname(place), `${randomUUID()}.part`);
  try {
    const file = await open(part, "wx", 0o600);
    try {
      for await (const piece of content) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, place);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function hashOf(root: string, path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(join(root, path), { highWaterMark: 1024 * 1024 })) hash.update(piece);
  return hash.digest("hex");
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(unlessGone)) ?? [];
}

function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
