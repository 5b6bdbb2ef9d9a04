import { isAbsolute, join, resolve } from "node:path";
import type { Parsed } from "../core/error.ts";
import type { Environment } from "./environment.ts";
import { readSecretFile } from "./secret-file.ts";

/** A password in a file or on a command line is read by others sooner or later; only a reference may stand there. */
export function resolvedDatabaseUrl(options: {
  /** The setting's path, for what is said of it. */
  setting: string;
  reference: string;
  environment: Environment;
  passwordAllowed: boolean;
}): Parsed<string> {
  const { setting, reference } = options;
  const isReference = /^(file|env):/.test(reference);
  const text = isReference ? readReference(options) : { ok: true as const, value: reference };
  if (!text.ok) return text;
  const url = URL.canParse(text.value) ? new URL(text.value) : undefined;
  if (url === undefined || !["postgres:", "postgresql:"].includes(url.protocol))
    return fail(`bad setting ${setting}, not a PostgreSQL URL, must be postgres://USER@HOST:PORT/DATABASE`);
  const hasPassword = url.password !== "" || url.searchParams.has("password");
  if (hasPassword && !isReference && !options.passwordAllowed)
    return fail(`a password stands in ${setting}, in a file or an option, must be a reference: file:PATH or env:NAME`);
  return { ok: true, value: text.value };
}

function readReference({
  setting,
  reference,
  environment,
}: {
  setting: string;
  reference: string;
  environment: Environment;
}): Parsed<string> {
  if (reference.startsWith("env:")) {
    const name = reference.slice("env:".length);
    const value = environment.variables[name];
    return value
      ? { ok: true, value }
      : fail(`nothing under ${setting}'s reference, ${name} is not set in the environment, set it`);
  }
  return readSecretFile(absolutePath(reference.slice("file:".length), environment), "the database URL");
}

/** A path of the settings: `~/` is the home folder, and what is relative starts where the program was started. */
export function absolutePath(path: string, environment: Environment): string {
  if (path === "~" || path.startsWith("~/")) return join(environment.homeDir, path.slice(1));
  return isAbsolute(path) ? path : resolve(environment.workingDir, path);
}

function fail(message: string): { ok: false; problem: { path: string; message: string } } {
  return { ok: false, problem: { path: "", message } };
}
