import { open } from "node:fs/promises";
import { ContinuumError } from "../../../core/error.ts";
import type { SecretErrorCode, Secrets } from "../secrets.ts";

export interface LocalSecretsOptions {
  /** The process's environment, given so that this driver reads none by itself. */
  environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Secrets of this host: `file:PATH` answers the file's bytes as they are, `env:NAME` the variable's UTF-8 bytes. A
 * file that others may read is no secret and is refused, as is an empty one: an empty key is the most guessed of all.
 */
export function localSecrets({ environment }: LocalSecretsOptions): Secrets {
  return {
    async read(reference) {
      const [, scheme, rest = ""] = /^(file|env):(.+)$/s.exec(reference) ?? [];
      if (scheme === "file") return readSecretFile(rest);
      if (scheme === "env") return readVariable(environment, rest);
      // The reference itself may be a secret that someone put in its place, so it is not repeated.
      throw malformed("a secret's reference must be file:PATH or env:NAME");
    },
  };
}

const SECRET_BYTES_MAX = 64 * 1024;
/** Anything for others, and writing for the group. Reading is left to the group: orchestrators mount secrets for one. */
const FORBIDDEN_MODE = 0o027;

async function readSecretFile(path: string): Promise<Uint8Array> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw new ContinuumError<SecretErrorCode>("secret-not-found", `the secret file ${path} cannot be opened`, {
      cause,
    });
  });
  try {
    const { mode, size, isFile } = await file.stat().then((stats) => ({ ...stats, isFile: stats.isFile() }));
    if (!isFile) throw malformed(`the secret ${path} is not a file`);
    // Windows answers modes that say nothing of who may read.
    if (process.platform !== "win32" && (mode & FORBIDDEN_MODE) !== 0) {
      throw malformed(
        `the secret file ${path} is open to other users (mode ${(mode & 0o777).toString(8)}); make it 600 or 640`,
      );
    }
    if (size > SECRET_BYTES_MAX) throw malformed(`the secret file ${path} has more than ${SECRET_BYTES_MAX} bytes`);
    const bytes = await file.readFile();
    if (bytes.length === 0) throw malformed(`the secret file ${path} is empty`);
    return bytes;
  } finally {
    await file.close();
  }
}

function readVariable(environment: LocalSecretsOptions["environment"], name: string): Uint8Array {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw malformed("env: must be followed by the name of a variable");
  // What every object inherits is no variable.
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
  if (value === undefined || value === "") {
    throw new ContinuumError<SecretErrorCode>("secret-not-found", `the variable ${name} is not set`);
  }
  return Buffer.from(value, "utf8");
}

function malformed(message: string): ContinuumError<SecretErrorCode> {
  return new ContinuumError<SecretErrorCode>("secret-malformed", message);
}
