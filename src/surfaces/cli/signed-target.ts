import { stat } from "node:fs/promises";
import { canonicalPlan } from "../../core/plan/canonical.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { fileError, pathOf, readInput } from "./files.ts";
import { preparePlan } from "./prepare-plan.ts";

/** What a signature is made over: a file's bytes, a plan's canonical bytes, or the list of a model folder's files. */
export const SIGNED_KINDS = ["file", "plan", "model"] as const;
export type SignedKind = (typeof SIGNED_KINDS)[number];

const FILE_BYTES_MAX = 512 * 1024 * 1024;

/** As `--type` says; left out, a folder is a model and all else a file. */
export async function signedKind(context: CommandContext, target: string): Promise<SignedKind> {
  const asked = SIGNED_KINDS.find((kind) => kind === context.text("type"));
  const isFolder = target !== "-" && (await isDirectory(context, target));
  if (asked === "model" && !isFolder) throw malformed("no folder", target, "must be the folder of a model");
  if (isFolder && asked !== undefined && asked !== "model")
    throw malformed("a folder", target, `must be a ${asked === "plan" ? "plan's file" : "file"}`);
  return asked ?? (isFolder ? "model" : "file");
}

/**
 * The exact bytes that are signed. Of a plan they are those that the server stores and runs, with every `file:` replaced
 * by the digest of what lies there: their SHA-256 is the plan digest.
 */
export async function signedBytes(
  context: CommandContext,
  { target, kind }: { target: string; kind: "file" | "plan" },
): Promise<Uint8Array> {
  if (kind === "file") return readInput(context, { file: target, where: "the file", bytesMax: FILE_BYTES_MAX });
  return canonicalPlan((await preparePlan(context, { file: target })).plan);
}

async function isDirectory(context: CommandContext, target: string): Promise<boolean> {
  try {
    return (await stat(pathOf(context, target))).isDirectory();
  } catch (error) {
    throw fileError(error, { file: target, where: "what is signed," });
  }
}
