import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { servingError } from "../serving-error.ts";

/** Sources run as they are and a package runs compiled: the replica's files have this file's own extension. */
const EXTENSION = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const RUNTIME = "onnxruntime-node";

/** The program that a replica runs. */
export function replicaEntry(): string {
  return fileURLToPath(new URL(`../replica/main${EXTENSION}`, import.meta.url));
}

/**
 * Node's flags that leave a replica what it needs and nothing else: to load ONNX Runtime, to listen on its socket (Node
 * knows no narrower word for that than the network), and to read its own program and the state file that tells it
 * whether somebody can come back. They bind JavaScript; what native code may read is refused with the model
 * (`foreign-files.ts`). Throws `not-available` when a package of the replica is not installed.
 */
export function permissionFlags(stateFile: string): string[] {
  // A Node without this flag would refuse to listen under --permission.
  if (!process.allowedNodeEnvironmentFlags.has("--allow-net")) return [];
  const files = [...programFiles(replicaEntry()), stateFile];
  return ["--permission", "--allow-addons", "--allow-net", ...files.map((path) => `--allow-fs-read=${path}`)];
}

/** Everything that the replica's imports lead to. Its folders hold code and no data of anybody's. */
function programFiles(entry: string): string[] {
  const runtime = installed(RUNTIME, entry);
  const common = installed("onnxruntime-common", join(runtime.real, "package.json"));
  const packages = [runtime, common, installed("zod", entry)];
  const own = [new URL("../replica", import.meta.url), new URL(`../../core/error${EXTENSION}`, import.meta.url)];
  const links = packages.flatMap(({ link, real }) => (link === real ? [real] : [link, real]));
  return [...own.map((url) => fileURLToPath(url)), ...links];
}

/**
 * Where Node finds a package from a file: by which name, and what that is. They differ where a package manager links
 * packages together, and the replica's Node asks for both.
 */
function installed(name: string, from: string): { link: string; real: string } {
  const places = createRequire(from).resolve.paths(name) ?? [];
  const link = places.map((place) => join(place, name)).find((path) => existsSync(path));
  if (link === undefined)
    throw servingError("not-available", `the package ${name}, which replicas need, is not installed`);
  return { link, real: realpathSync(link) };
}
