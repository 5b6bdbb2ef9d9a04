import { stat } from "node:fs/promises";
import { basename, relative, resolve, sep } from "node:path";
import { type ModelFile, type ModelManifest, modelManifest } from "../../core/evidence/model-manifest.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { digestOfFile, fileError, pathOf } from "./files.ts";
import { walkFolder } from "./walk-folder.ts";

/** What a version control system keeps beside a model; Model Signing's own program leaves these out as well. */
const NOT_OF_THE_MODEL: readonly string[] = [".git", ".gitattributes", ".github", ".gitignore"];

/** The manifest of what lies in a folder now; `beside` are files that may lie in it and are none of the model. */
export async function readModelFolder(
  context: CommandContext,
  { folder, beside }: { folder: string; beside: readonly (string | undefined)[] },
): Promise<{ manifest: ModelManifest; sizeBytes: number }> {
  const ignored = [...NOT_OF_THE_MODEL, ...insideOf(context, { folder, files: beside })];
  const files = await modelFiles(context, { folder, ignored });
  const manifest = modelManifest(basename(pathOf(context, folder)), files);
  if (!manifest.ok) {
    const file = files[Number(manifest.problem.path.slice(1))];
    throw malformed(
      "cannot list the model",
      file === undefined ? folder : `${file.path} in ${folder}`,
      manifest.problem.message,
    );
  }
  return { manifest: manifest.value, sizeBytes: files.reduce((total, { sizeBytes = 0 }) => total + sizeBytes, 0) };
}

/** Every file with its digest; a model that is one file is listed as `.`. */
export async function modelFiles(
  context: CommandContext,
  { folder, ignored, links }: { folder: string; ignored: readonly string[]; links?: "report" },
): Promise<ModelFile[]> {
  const root = pathOf(context, folder);
  let isFolder: boolean;
  try {
    isFolder = (await stat(root)).isDirectory();
  } catch (error) {
    throw fileError(error, { file: folder, where: "the model" });
  }
  if (isFolder) return walkFolder(root, { name: folder, ignored, ...(links === undefined ? {} : { links }) });
  return [{ path: ".", ...(await digestOfFile(root, { file: folder, where: "the model" })) }];
}

/**
 * What is left out when a folder is compared with a manifest: the files beside the model, as long as the manifest does
 * not name them. What the manifest lists is part of the model, whatever it is called.
 */
export function pathsToIgnore(
  context: CommandContext,
  { folder, beside, manifest }: { folder: string; beside: readonly (string | undefined)[]; manifest: ModelManifest },
): string[] {
  const isListed = (path: string) =>
    manifest.files.some((file) => file.path === path || file.path.startsWith(`${path}/`));
  return [...NOT_OF_THE_MODEL, ...insideOf(context, { folder, files: beside })].filter((path) => !isListed(path));
}

/** Those of the files that lie in the folder, by their paths there. */
function insideOf(
  context: CommandContext,
  { folder, files }: { folder: string; files: readonly (string | undefined)[] },
): string[] {
  const root = pathOf(context, folder);
  return files
    .filter((file) => file !== undefined && file !== "-")
    .map((file) => relative(root, resolve(pathOf(context, file ?? ""))))
    .filter((path) => path !== "" && path !== ".." && !path.startsWith(`..${sep}`))
    .map((path) => path.split(sep).join("/"));
}
