import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { readAll } from "./io.ts";

/** Bytes of a file that the user named, or of standard input for `-`. A file that is missing or too large is a mistake. */
export async function readInput(
  context: CommandContext,
  options: { file: string; where: string; bytesMax: number },
): Promise<Uint8Array> {
  const { file, where, bytesMax } = options;
  const tooLarge = () => malformed(`more than ${bytesMax} bytes`, `${where} ${file}`, "must be smaller");
  if (file === "-") {
    const bytes = await readAll(context.io.stdin, bytesMax);
    if (bytes === undefined) throw tooLarge();
    return bytes;
  }
  let bytes: Uint8Array | undefined;
  try {
    // Read in pieces up to the limit: what a device or a pipe holds, its size does not say.
    bytes = await readAll(createReadStream(pathOf(context, file)), bytesMax);
  } catch (error) {
    throw fileError(error, { file, where });
  }
  if (bytes === undefined) throw tooLarge();
  return bytes;
}

export async function readTextInput(
  context: CommandContext,
  options: { file: string; where: string; bytesMax: number },
): Promise<string> {
  const bytes = await readInput(context, options);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed("not UTF-8 text", `${options.where} ${options.file}`, "must be a text file");
  }
}

/** Writes a result to a file that must not exist yet. */
export async function writeNewFile(
  context: CommandContext,
  options: { file: string; text: string; where: string; mode?: number },
): Promise<void> {
  try {
    await writeFile(pathOf(context, options.file), options.text, { flag: "wx", mode: options.mode ?? 0o644 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw malformed("no such folder", `${options.where} ${options.file}`, "must lie in a folder that exists");
    throw fileError(error, options);
  }
}

/** `sha256:` and the size of a file, read in pieces: models are large. */
export async function digestOfFile(
  path: string,
  names: { file: string; where: string },
): Promise<{ digest: string; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  try {
    const status = await stat(path);
    // A plan may come from anybody: one that names a device or a pipe would be read without an end.
    if (!status.isFile() && !status.isDirectory())
      throw malformed("not an ordinary file", `${names.where} ${names.file}`, "must be a file");
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
  } catch (error) {
    throw fileError(error, names);
  }
  return { digest: `sha256:${hash.digest("hex")}`, sizeBytes };
}

export function pathOf(context: CommandContext, file: string): string {
  return resolve(context.io.environment.workingDir, file);
}

const REASONS: Readonly<Record<string, readonly [what: string, right: string]>> = {
  ENOENT: ["no such file", "must be a file that exists"],
  EISDIR: ["a folder", "must be a file"],
  ENOTDIR: ["no such file", "must be a file that exists"],
  EACCES: ["a file that may not be read or written", "must be yours"],
  EPERM: ["a file that may not be read or written", "must be yours"],
  ENAMETOOLONG: ["a file's name that is too long", "must be a file that exists"],
  ELOOP: ["a link that leads to itself", "must be a file that exists"],
  ENXIO: ["a file that cannot be opened", "must be a file"],
  EIO: ["a file that cannot be read", "must be a readable file"],
  EINVAL: ["a file that cannot be read", "must be a readable file"],
  ERR_INVALID_ARG_VALUE: ["a file's name that holds U+0000", "must be a file that exists"],
  EEXIST: ["a file that exists already", "must be a new name: nothing is overwritten"],
};

/** A file's problem as the user's mistake; whatever else went wrong is passed on. */
export function fileError(error: unknown, names: { file: string; where: string }): unknown {
  const reason = REASONS[String((error as NodeJS.ErrnoException | undefined)?.code)];
  return reason === undefined ? error : malformed(reason[0], `${names.where} ${names.file}`, reason[1]);
}
