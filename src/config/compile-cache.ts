import { lstatSync, mkdirSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { isAbsolute, join } from "node:path";
import type { Environment } from "./environment.ts";

/**
 * Keeps what was compiled for the next command: reading the program anew was three quarters of the time of `--help`.
 * It lies where caches of this user lie, since what is in there is run: a folder that others may write is left alone,
 * and without one everything works as before. Answers the folder when it is used.
 */
export function keepCompiled(environment: Environment): string | undefined {
  if (environment.variables["NODE_COMPILE_CACHE"]) return undefined; // somebody chose another place
  const folder = cacheFolder(environment);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isOurs(folder)) return undefined;
    return enableCompileCache(folder).directory;
  } catch {
    return undefined; // a read-only home: the program is compiled each time
  }
}

/** The custom of https://specifications.freedesktop.org/basedir-spec; a relative path there is to be ignored. */
export function cacheFolder({ variables, homeDir }: Environment): string {
  const { XDG_CACHE_HOME } = variables;
  const base = XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homeDir, ".cache");
  return join(base, "continuum", "compiled");
}

function isOurs(folder: string): boolean {
  const { uid, mode } = lstatSync(folder);
  return process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
}
