import { readFileSync } from "node:fs";
import { ContinuumError } from "../core/error.ts";

/** Under this a role does not even start cleanly: with 24 the data plane neither answered nor heard a signal. */
const LEAST_FILES = 128;

/** Refuses a limit that a role would hang on later, without a word. Errors: `too-many-open-files`. */
export function requireOpenFiles(limits: string = ownLimits()): void {
  const found = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  if (found === undefined || Number(found) >= LEAST_FILES) return;
  throw new ContinuumError(
    "too-many-open-files",
    `This process may hold ${found} files open, and a role needs at least ${LEAST_FILES}: raise the limit (\`ulimit -n 4096\`, LimitNOFILE= in systemd).`,
  );
}

/** Only Linux says it; elsewhere nothing is refused. */
function ownLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
