import { getCompileCacheDir } from "node:module";
import { dirname, join } from "node:path";
import { type Config, settings } from "../config/schema.ts";

/** Carries the database's URL, which may hold a password, to the roles: in the environment only its owner reads it. */
const DATABASE_URL_VARIABLE = "SUPERVISED_DATABASE_URL";

/**
 * The environment in which a role's process finds exactly the settings that its supervisor has. A role that has no
 * business with the database is not told how to get into it.
 */
export function childEnvironment(config: Config, databaseUrl: string | undefined): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("CONTINUUM_") || name === "CONTINUUM_DEBUG",
  );
  const env: NodeJS.ProcessEnv = Object.fromEntries(own);
  for (const { path, environmentName } of settings()) {
    const value = path.reduce<unknown>((part, key) => (part as Record<string, unknown> | undefined)?.[key], config);
    if (value !== undefined) env[environmentName] = String(value);
  }
  // A role that fell is back in half the time. Where this process keeps what was compiled, else (a home that cannot be
  // written) in our own folder, since what lies in there is run. Node's answer names the folder of its own version in it.
  const kept = getCompileCacheDir();
  env["NODE_COMPILE_CACHE"] ??= kept === undefined ? join(config.dataDir, "compile-cache") : dirname(kept);
  // Each role is told of its own login alone, by the one name.
  for (const name of ["DATABASE_URL", "API_DATABASE_URL", "WORKER_DATABASE_URL"]) delete env[`CONTINUUM_${name}`];
  delete env[DATABASE_URL_VARIABLE];
  if (databaseUrl === undefined) return env;
  return { ...env, CONTINUUM_DATABASE_URL: `env:${DATABASE_URL_VARIABLE}`, [DATABASE_URL_VARIABLE]: databaseUrl };
}
