import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type OpenedCheckpoint, openCheckpoint } from "../../../core/audit/checkpoint.ts";
import { parseVerifierKey, parseVerifierKeys, type VerifierKey } from "../../../core/audit/verifier-key.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { fileError, pathOf, readInput, readTextInput } from "../files.ts";

const KEYS_BYTES_MAX = 1024 * 1024;
const CHECKPOINT_BYTES_MAX = 256 * 1024;

/** The keys of `--key`: each a file with one key a line, or a key itself. */
export async function trustedKeys(context: CommandContext): Promise<VerifierKey[]> {
  const keys: VerifierKey[] = [];
  for (const given of context.list("key")) {
    const parsed = isKey(given) ? parseVerifierKey(given) : await keysInFile(context, given);
    if (!parsed.ok) throw malformed("bad key", `--key ${parsed.problem.path}`.trim(), parsed.problem.message);
    keys.push(...(Array.isArray(parsed.value) ? parsed.value : [parsed.value]));
  }
  return keys;
}

const isKey = (text: string) => /^[^\s+]+\+[0-9a-f]{8}\+/.test(text);

async function keysInFile(context: CommandContext, file: string) {
  return parseVerifierKeys(await readTextInput(context, { file, where: "--key", bytesMax: KEYS_BYTES_MAX }));
}

export type KeptCheckpoint =
  | { file: string; ok: true; opened: OpenedCheckpoint }
  /** `reason` follows "the checkpoint". */
  | { file: string; ok: false; reason: string };

/** The checkpoints of `--checkpoint`, files or folders with files in them, each verified by the keys. */
export async function keptCheckpoints(
  context: CommandContext,
  keys: readonly VerifierKey[],
): Promise<KeptCheckpoint[]> {
  const files = (await Promise.all(context.list("checkpoint").map((path) => checkpointFiles(context, path)))).flat();
  const kept: KeptCheckpoint[] = [];
  for (const file of files) {
    const bytes = await readInput(context, { file, where: "--checkpoint", bytesMax: CHECKPOINT_BYTES_MAX });
    const opened = openCheckpoint(bytes, keys);
    kept.push(
      opened.ok ? { file, ok: true, opened: opened.value } : { file, ok: false, reason: opened.problem.message },
    );
  }
  return kept;
}

async function checkpointFiles(context: CommandContext, path: string): Promise<string[]> {
  try {
    const folder = pathOf(context, path);
    if (!(await stat(folder)).isDirectory()) return [path];
    const found = await readdir(folder, { recursive: true });
    const files = found.filter((name) => name.endsWith(".checkpoint")).sort();
    if (files.length === 0)
      throw malformed("no checkpoint", `--checkpoint ${path}`, "must hold files that end in .checkpoint");
    return files.map((name) => join(path, name));
  } catch (error) {
    throw fileError(error, { file: path, where: "--checkpoint" });
  }
}
