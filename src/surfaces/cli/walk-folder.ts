import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { ModelFile } from "../../core/evidence/model-manifest.ts";
import { malformed } from "./cli-error.ts";
import { fileError } from "./files.ts";

const FILES_MAX = 100_000;
const DEPTH_MAX = 64;
const PIECE_BYTES = 1024 * 1024;

/**
 * Every file under a folder with its digest, sorted by path as bytes sort. No link is followed, and pipes, devices and
 * sockets are refused: a signed list must say what lies in the folder, not what something else meant at that moment.
 * `ignored` are paths under the folder, each with all that is below it.
 */
export async function walkFolder(
  root: string,
  options: {
    name: string;
    ignored: readonly string[];
    /** What becomes of a symbolic link: an error, or an entry for whoever compares. Default `refuse`. */
    links?: "refuse" | "report";
  },
): Promise<ModelFile[]> {
  const ignored = new Set(options.ignored.map((path) => resolve(root, path)));
  const [paths, links]: [string[], string[]] = [[], []];
  await collect({ ...options, root, inside: "", depth: 0, ignored, paths, links });
  if (options.links !== "report" && links.length > 0)
    throw malformed(
      "a symbolic link",
      `${links[0]} in ${options.name}`,
      "must be the file itself (cp -rL copies a folder so)",
    );
  if (paths.length === 0)
    throw malformed("a folder with nothing in it", options.name, "must hold the files of a model");
  paths.sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  const files: ModelFile[] = [];
  for (const path of paths) files.push(await hashFile(root, { path, name: options.name }));
  return [...files, ...links.map((path) => ({ path, digest: "", isSymlink: true }))];
}

interface Walk {
  root: string;
  /** The folder that is read now, relative to the root; empty at the root. */
  inside: string;
  depth: number;
  ignored: ReadonlySet<string>;
  paths: string[];
  links: string[];
  name: string;
}

async function collect(walk: Walk): Promise<void> {
  if (walk.depth > DEPTH_MAX) throw malformed("folders too deep", walk.name, `must be at most ${DEPTH_MAX} deep`);
  const folder = join(walk.root, walk.inside);
  let entries: Awaited<ReturnType<typeof readEntries>>;
  try {
    entries = await readEntries(folder);
  } catch (error) {
    throw fileError(error, { file: walk.inside, where: `in ${walk.name}` });
  }
  for (const entry of entries) {
    const name = nameOf(entry.name, walk);
    const path = walk.inside === "" ? name : `${walk.inside}/${name}`;
    if (walk.ignored.has(resolve(walk.root, path))) continue;
    if (entry.isDirectory()) await collect({ ...walk, inside: path, depth: walk.depth + 1 });
    else if (entry.isFile()) walk.paths.push(path);
    else if (entry.isSymbolicLink()) walk.links.push(path);
    else throw malformed("no ordinary file", `${path} in ${walk.name}`, "must be a file or a folder");
    if (walk.paths.length + walk.links.length > FILES_MAX)
      throw malformed("too many files", walk.name, `must hold at most ${FILES_MAX} files`);
  }
}

function readEntries(folder: string) {
  return readdir(folder, { withFileTypes: true, encoding: "buffer" });
}

/** A name that is no text would be written differently by each program that reads it. */
function nameOf(bytes: Uint8Array, walk: Walk): string {
  let name = "";
  try {
    name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed("a file's name that is not UTF-8", `in ${walk.name}/${walk.inside}`, "must be text");
  }
  if (/[\p{Cc}\\]/u.test(name))
    throw malformed(
      `a file's name with a control character or a backslash, ${JSON.stringify(name)}`,
      `in ${walk.name}`,
      "must have none",
    );
  return name;
}

async function hashFile(root: string, { path, name }: { path: string; name: string }): Promise<ModelFile> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  let file: FileHandle | undefined;
  try {
    // Looked at again on the open file: a link or a pipe may have taken its place since the folder was read.
    file = await open(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) throw malformed("no ordinary file", `${path} in ${name}`, "must be a file");
    for await (const chunk of file.createReadStream({ highWaterMark: PIECE_BYTES, autoClose: false })) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
  } catch (error) {
    throw fileError(error, { file: path, where: `in ${name}` });
  } finally {
    await file?.close();
  }
  return { path, digest: `sha256:${hash.digest("hex")}`, sizeBytes };
}
