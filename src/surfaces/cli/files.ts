import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
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
  const path = pathOf(context, file);
  try {
    const { size } = await stat(path);
    if (size > bytesMax) throw tooLarge();
    return await readFile(path);
  } catch (error) {
    throw fileError(error, { file, where });
  }
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
  EEXIST: ["a file that exists already", "must be a new name: nothing is overwritten"],
};

/** A file's problem as the user's mistake; whatever else went wrong is passed on. */
export function fileError(error: unknown, names: { file: string; where: string }): unknown {
  const reason = REASONS[String((error as NodeJS.ErrnoException | undefined)?.code)];
  return reason === undefined ? error : malformed(reason[0], `${names.where} ${names.file}`, reason[1]);
}
