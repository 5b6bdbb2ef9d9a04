import { readFileSync, statSync } from "node:fs";
import type { Parsed } from "../core/error.ts";

const BYTES_MAX = 16 * 1024;

/** One secret from a file, without the line end. Refused when others may read it: then it is no secret. */
export function readSecretFile(file: string, what: string): Parsed<string> {
  try {
    const { mode, size } = statSync(file);
    if (process.platform !== "win32" && (mode & 0o004) !== 0)
      return fail(`${what} that everybody may read, ${file}, must have mode 0600`);
    if (size > BYTES_MAX) return fail(`${what} of ${size} bytes, ${file}, must be one short line`);
    return { ok: true, value: readFileSync(file, "utf8").replace(/\r?\n$/, "") };
  } catch (error) {
    return fail(
      `cannot read ${what}, ${file} (${String((error as NodeJS.ErrnoException).code)}), must be a file of yours`,
    );
  }
}

function fail(message: string): { ok: false; problem: { path: string; message: string } } {
  return { ok: false, problem: { path: "", message } };
}
